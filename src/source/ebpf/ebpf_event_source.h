// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sockflow/event_source.h"
#include "source/wall_clock.h"

struct bpf_link;
struct ring_buffer;
struct sockflow_bpf;

namespace sockflow {

// Sessions from BPF programs in the kernel, through a ring buffer.
class EbpfEventSource final : public EventSource {
 public:
  struct Options {
    // Size of the ring buffer in octets; a power of two, at least a page.
    size_t ring_buffer_octets = 4 << 20;
    // Sessions and listeners that the hash holds where the kernel has no socket storage.
    size_t max_hashed_sessions = 65'536;
  };

  // Loads and attaches the programs of the tier. The error is one sentence that says why not.
  static absl::StatusOr<std::unique_ptr<EbpfEventSource>> Open(Tier tier, const Options& options);

  ~EbpfEventSource() override;
  EbpfEventSource(const EbpfEventSource&) = delete;
  EbpfEventSource& operator=(const EbpfEventSource&) = delete;

  absl::Status Poll(Duration wait, absl::FunctionRef<void(const SessionEvent&)> deliver) override;
  void Wake() override;
  SourceStats stats() override;
  std::string description() const override;

  // Wakeups that the kernel half gave us so far.
  uint64_t wakeups();

 private:
  explicit EbpfEventSource(Tier tier) : tier_(tier) {}

  absl::Status Load(const Options& options);
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
  ring_buffer* ring_ = nullptr;
  int epoll_fd_ = -1;
  int wake_fd_ = -1;

  WallClock clock_;
  // The last wait brought nothing: the next one may be a sleep.
  bool quiet_ = false;
  const absl::FunctionRef<void(const SessionEvent&)>* deliver_ = nullptr;
  uint64_t events_ = 0;
  uint64_t malformed_ = 0;
};

}  // namespace sockflow
