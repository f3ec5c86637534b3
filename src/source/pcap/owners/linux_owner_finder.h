// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/pcap/owner_finder.h"
#include "source/pcap/owners/acceptors.h"
#include "source/pcap/owners/host_scan.h"
#include "source/pcap/owners/perf_rings.h"
#include "source/pcap/owners/process_facts.h"
#include "source/pcap/owners/process_table.h"
#include "source/pcap/owners/socket_ends.h"
#include "source/pcap/owners/socket_search.h"
#include "source/pcap/owners/socket_tables.h"
#include "source/pcap/owners/traced_sockets.h"

namespace sockflow::pcap {

// Owners by the tracepoint sock:inet_sock_set_state where perf_event_open(2) is permitted; what it missed,
// and all without it, by sock_diag(7) and the descriptors in /proc.
class LinuxOwnerFinder : public OwnerFinder {
 public:
  explicit LinuxOwnerFinder(const OwnerFinderOptions& options);

  void Look(const LocalEnd& end) override;
  void Forget(SessionId id, bool reset_here, Found found) override;
  void Poll(Time now, Found found) override;
  Time NextDeadline() const override;
  Duration patience() const override;
  std::vector<int> descriptors() const override;
  bool HasSocket(const Endpoint& local, const Endpoint& remote) override;
  std::vector<OpenSession> OpenSessions() override;
  std::vector<LossCounter> losses() override;
  std::string description() const override { return description_; }

 private:
  struct Watch {
    SessionId id = 0;
    SocketEnds ends;
    Time at{};
    bool passive = false;
    bool established = false;                         // was told
    Attribution attribution = Attribution::kUnknown;  // of what was told
    uint8_t asked = 0;                                // how often the host was
    uint64_t cookie = 0;
    uint32_t scanned = 0;  // the inode that all processes are looked through for
  };
  struct Deadline {
    Time at;
    SessionId id;
    friend bool operator>(const Deadline& a, const Deadline& b) { return a.at > b.at; }
  };

  absl::Status OpenTrace();
  void Drain();
  void Apply(const KernelRecord& record);
  void Distrust();

  // Tells what was traced of it; true: nothing more can become known.
  bool Consider(Watch& watch, bool is_over = false);
  bool ConsiderActive(Watch& watch, bool is_over);
  bool ConsiderPassive(Watch& watch, bool is_over);
  bool IsOurs(const ProcessFacts& facts, bool contested, Time at, const Watch& watch, bool is_over);
  void ConsiderReset(Watch& watch);
  // Asks sock_diag and searches its descriptor; true as above.
  bool AskHost(Watch& watch);
  void AskLater(const Watch& watch);
  void TellListener(Watch& watch, bool is_over = false);
  bool Listens(uint32_t pid, const Endpoint& local);
  void TellHolder(Watch& watch, uint32_t pid, uint32_t inode);
  std::optional<ProcessFacts> Describe(uint32_t pid);
  void Tell(const Watch& watch, const std::optional<Process>& process);
  void TakeScan();
  bool IsWaiting(SessionId id);
  void Drop(const Watch& watch);

  static constexpr size_t kMostWatched = 65'536;

  OwnerFinderOptions options_;
  std::string description_;
  ProcessReader reader_;
  ProcessTable processes_;
  TracedSockets traced_{processes_};
  std::optional<SocketStateLayout> layout_;
  std::optional<PerfRings> rings_;
  std::optional<SocketTables> tables_;
  HostScan scan_;
  SocketSearch search_;
  Acceptors acceptors_;

  Recent<SessionId, Watch> watched_{kMostWatched};
  Recent<SocketEnds, SessionId> ids_{kMostWatched};
  absl::flat_hash_map<uint32_t, SessionId> scanned_for_;  // by inode
  std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> deadlines_;
  std::vector<KernelRecord> records_;
  bool blind_ = false;  // records of what happened just now are missing
  std::vector<Finding> findings_;
  Time now_{};
  Time cpus_checked_{};
  uint64_t events_lost_ = 0;
  uint64_t scans_refused_ = 0;
  uint64_t lists_refused_ = 0;
};

}  // namespace sockflow::pcap
