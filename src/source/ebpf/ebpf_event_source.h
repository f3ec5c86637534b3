// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sockflow/event_source.h"
#include "sockflow/filter_rules.h"
#include "source/ebpf/process_details.h"
#include "source/ebpf/ring_fill.h"
#include "source/ebpf/socket_walk.h"
#include "source/ebpf/tier_programs.h"
#include "source/wall_clock.h"

struct bpf_link;
struct ring_buffer;
struct sockflow_bpf;
struct tcp_event;

namespace sockflow {

// Sessions from BPF programs in the kernel, through a ring buffer.
class EbpfEventSource final : public EventSource {
 public:
  struct Options {
    // Size of the ring buffer in octets; a power of two, at least a page.
    size_t ring_buffer_octets = 4 << 20;
    // Sessions and listeners that the hash holds where the kernel has no socket storage.
    size_t max_hashed_sessions = 65'536;
    // Sessions that are older than the source are told of, as they are found (kExisting) or as they end.
    bool existing = true;
    // After this time without a word of a session that goes on its counters are told; 0: never.
    Duration active_timeout{};
    // Most octets of a process's command line that are told; 0: none.
    size_t command_line_octets = 0;
    // Sessions that these certainly leave out are not told.
    FilterRules rules = {};
    // Nor are those of this process.
    bool leave_out_own = false;
  };

  // Loads and attaches the programs of the tier. The error is one sentence that says why not.
  static absl::StatusOr<std::unique_ptr<EbpfEventSource>> Open(Tier tier, const Options& options);

  ~EbpfEventSource() override;
  EbpfEventSource(const EbpfEventSource&) = delete;
  EbpfEventSource& operator=(const EbpfEventSource&) = delete;

  absl::Status Poll(Duration wait, absl::FunctionRef<void(const SessionEvent&)> deliver) override;
  void Wake() override;
  SourceStats stats() override;
  void SetFilter(const FilterRules& rules) override;
  std::optional<uint32_t> own_pid() const override;
  uint64_t rounds() const override { return rounds_; }
  std::string description() const override;

  // Wakeups that the kernel half gave us so far.
  uint64_t wakeups();

 private:
  // What the kernel may lack and we can do without.
  struct Helpers {
    bool storage, cookie, iterators;
  };

  explicit EbpfEventSource(Tier tier) : tier_(tier) {}

  absl::Status Load(const Options& options);
  bool TryLoad(const TierPrograms& tier, const Helpers& helpers, const Options& options);
  void AttachWalks(const Options& options);
  void FindExisting(absl::FunctionRef<void(const SessionEvent&)> deliver);
  void TellUpdates(absl::FunctionRef<void(const SessionEvent&)> deliver);
  void Deliver(const tcp_event& event, absl::FunctionRef<void(const SessionEvent&)> deliver);
  absl::Status Attach();
  absl::Status OpenRing();
  void WaitForEvents(Duration wait);
  // Delivers all that is in the ring buffer; returns how many events.
  absl::StatusOr<int> Drain(absl::FunctionRef<void(const SessionEvent&)> deliver);
  static int OnRingRecord(void* context, void* data, size_t size);

  Tier tier_;
  std::string hooks_;
  bool uses_socket_storage_ = false;
  sockflow_bpf* bpf_ = nullptr;
  std::vector<std::string> programs_;
  std::vector<std::string> optional_programs_;
  std::vector<bpf_link*> links_;
  std::vector<SocketWalk> find_existing_;  // run once, then gone
  std::optional<SocketWalk> walk_sessions_;
  Duration active_timeout_{};
  std::chrono::steady_clock::time_point next_walk_ = std::chrono::steady_clock::time_point::max();
  ring_buffer* ring_ = nullptr;
  RingFill ring_fill_;
  int epoll_fd_ = -1;
  int wake_fd_ = -1;

  WallClock clock_;
  ProcessDetails processes_;
  // The last wait brought nothing: the next one may be a sleep.
  bool quiet_ = false;
  const absl::FunctionRef<void(const SessionEvent&)>* deliver_ = nullptr;
  uint64_t events_ = 0;
  uint64_t malformed_ = 0;
  uint64_t walks_failed_ = 0;
  uint64_t rounds_ = 0;
  std::chrono::steady_clock::time_point round_end_{};  // of the last one
};

}  // namespace sockflow
