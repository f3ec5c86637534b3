// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "source/pcap/owner_finder.h"

namespace sockflow::testing {

// What a finder told of one local end, in the end.
struct WatchedEnd {
  pcap::LocalEnd end;
  pcap::Finding best;
  bool forgotten = false;
};

// Drives an owner finder as a packet capture does: sees the packets of the loopback interface of this
// network namespace, looks for both ends of each session at its SYN and SYN+ACK, and forgets them when it
// is over.
class PacketWatch {
 public:
  explicit PacketWatch(const pcap::OwnerFinderOptions& options);
  ~PacketWatch();
  PacketWatch(const PacketWatch&) = delete;
  PacketWatch& operator=(const PacketWatch&) = delete;

  // Does what there is to do until nothing came for `quiet`.
  void RunUntilQuiet(Duration quiet);
  // Goes on until told.
  void RunWhile(const std::function<bool()>& more);

  // The ends of the first session of this client port that began then or later; nullptr: none was seen.
  const WatchedEnd* Active(uint16_t client_port, Time begun = {}) const;
  const WatchedEnd* Passive(uint16_t client_port, Time begun = {}) const;
  const std::vector<WatchedEnd>& ends() const { return ends_; }  // by id

  pcap::OwnerFinder& finder() { return *finder_; }
  Duration cpu_time() const { return cpu_time_; }  // of this thread, in the finder
  uint64_t packets() const { return packets_; }

 private:
  struct Packet;
  struct Session {
    SessionId active = 0, passive = 0;
    int fins = 0;
  };

  bool Step(int timeout_ms);
  void Take(const Packet& packet);
  void Over(uint16_t client_port);
  const WatchedEnd* Find(uint16_t client_port, Time begun, Direction direction) const;
  void OnFinding(const pcap::Finding& finding);

  std::unique_ptr<pcap::OwnerFinder> finder_;
  int socket_ = -1;
  uint64_t packets_ = 0;
  Duration cpu_time_{};
  std::vector<WatchedEnd> ends_;
  std::map<uint16_t, Session> sessions_;  // the latest of each client port
  std::multimap<uint16_t, SessionId> by_port_;
};

// The wall clock.
Time Now();

}  // namespace sockflow::testing
