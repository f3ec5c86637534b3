// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "sockflow/event_source.h"
#include "source/pcap/handshake_tracker.h"
#include "source/pcap/live_capture.h"
#include "source/pcap/local_addresses.h"
#include "source/pcap/owner_finder.h"
#include "source/pcap/packet_census.h"
#include "source/pcap/rest.h"

namespace sockflow::pcap {

// Sessions of this host from the packets on its interfaces, without eBPF. Owners come from whatever else
// the kernel tells (OwnerFinder).
class PcapEventSource : public EventSource {
 public:
  struct Options {
    std::vector<std::string> interfaces;  // empty: all
    FilterOptions filter;
    size_t buffer_octets = 4 << 20;  // of each interface
    size_t max_sessions = 262'144;
    bool forwarded = false;  // sessions between other hosts, too
    bool existing = true;    // sessions that are open already, too
  };

  // The error is LiveCapture's; all interfaces must be there at the start.
  static absl::StatusOr<std::unique_ptr<PcapEventSource>> Open(const Options& options);

  absl::Status Poll(Duration wait, absl::FunctionRef<void(const SessionEvent&)> deliver) override;
  void Wake() override { rest_->Wake(); }
  SourceStats stats() override;
  std::string description() const override;

 private:
  // One interface, which may go and come back.
  struct Tap {
    LiveCapture::Options options;
    uint32_t number = 0;  // from 1
    std::unique_ptr<LiveCapture> capture;  // null: not there
    Time next_attempt{};
    // Read last, to be added up: a capture counts 32 bits, and from its own beginning.
    LiveCapture::Stats seen;
  };
  using Deliver = absl::FunctionRef<void(const SessionEvent&)>;

  explicit PcapEventSource(const Options& options);

  void RestUntilThereIsWork(Duration wait, Time now);
  void ReadPackets(Time now);
  void Reopen(Tap& tap, Time now);
  void CountDrops(Tap& tap);
  std::vector<OpenSession> FindExisting();
  void Adopt(const std::vector<OpenSession>& sessions, Deliver deliver);
  void OnEvent(const SessionEvent& event, Deliver deliver);
  void OnFinding(const Finding& finding, Time now, Deliver deliver);

  Options options_;
  std::vector<Tap> taps_;
  std::unique_ptr<Rest> rest_;
  std::unique_ptr<OwnerFinder> owners_;
  LocalAddresses local_;
  Time now_{};
  HandshakeTracker tracker_;
  PacketCensus census_;
  std::vector<TcpSegment> segments_;  // of one round
  std::vector<int> descriptors_;      // of one rest
  // Owners of responders' ends whose handshake is not known to be done: they are no sessions yet.
  absl::flat_hash_map<SessionId, Finding> early_findings_;
  bool begun_ = false;  // polled once
  bool quiet_ = false;  // nothing came in the last round
  bool few_ = true;
  uint64_t events_ = 0;
  uint64_t dropped_ = 0;
  uint64_t interface_dropped_ = 0;
  uint64_t interface_gone_ = 0;
};

}  // namespace sockflow::pcap
