// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "sockflow/event_source.h"
#include "source/pcap/capture_file.h"
#include "source/pcap/handshake_tracker.h"
#include "source/pcap/packet_census.h"
#include "source/pcap/packet_filter.h"

namespace sockflow::pcap {

// The sessions of a capture file, with its times: one session for each connection, as its initiator sees
// it, without an owner. What went on when the file ends ends with it (kCaptureEnded).
class FileEventSource : public EventSource {
 public:
  struct Options {
    std::string path;  // "-": standard input
    std::string expression;  // FilterOptions::expression
    size_t max_sessions = 262'144;
  };

  // kNotFound, kPermissionDenied, kInvalidArgument (no capture file).
  static absl::StatusOr<std::unique_ptr<FileEventSource>> Open(const Options& options);

  // Delivers a number of events; never waits. A file that is cut short or damaged is an error
  // after all that is whole.
  absl::Status Poll(Duration wait, absl::FunctionRef<void(const SessionEvent&)> deliver) override;
  void Wake() override {}
  SourceStats stats() override;
  std::string description() const override;
  bool finished() const override { return read_ && told_ == untold_.size(); }
  bool can_wait() const override { return true; }

 private:
  FileEventSource(const Options& options, std::unique_ptr<CaptureFile> file);

  // Reads until there is an event to tell.
  void ReadSome();
  absl::StatusOr<bool> ReadPacket();
  // The expression for the packets of a link type.
  absl::StatusOr<const PacketFilter*> FilterFor(uint32_t link_type);

  const Options options_;
  std::unique_ptr<CaptureFile> file_;
  HandshakeTracker tracker_;
  PacketCensus census_;
  std::map<uint32_t, std::unique_ptr<PacketFilter>> filters_;  // by link type
  absl::flat_hash_set<uint32_t> seen_link_types_;
  Time last_{};
  // One packet, and the end of the file, may end any number of sessions.
  std::vector<SessionEvent> untold_;
  size_t told_ = 0;   // of them
  bool read_ = false;  // to its end
  absl::Status end_;   // how that was
  uint64_t events_ = 0;
  uint64_t filtered_ = 0;
};

}  // namespace sockflow::pcap
