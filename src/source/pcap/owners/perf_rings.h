// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "source/pcap/owners/file_descriptor_linux.h"
#include "source/pcap/owners/tracepoint_format.h"
#include "source/wall_clock.h"

struct perf_event_mmap_page;

namespace sockflow::pcap {

// The tracepoint sock:inet_sock_set_state and the beginnings, ends and names of processes, by
// perf_event_open(2): one ring buffer for each CPU, filled by the kernel as things happen.
class PerfRings {
 public:
  // `most_octets`: of all rings together. Errors say what to permit.
  static absl::StatusOr<PerfRings> Open(const SocketStateLayout& layout, size_t most_octets);

  // Appends all that came since the last call, in the order of time; false if some may be missing, or an
  // event of a CPU that came later.
  bool Drain(std::vector<KernelRecord>& records);

  // Becomes readable when a ring is a quarter full; not with every record, since a wakeup costs more
  // than all else.
  int descriptor() const { return epoll_.get(); }

  // Whether CPUs came or went: open the rings again.
  bool CpusChanged() const;

 private:
  // The memory of a ring: a control page, then the records.
  class Ring {
   public:
    Ring(FileDescriptor event, void* memory, size_t size);
    Ring(Ring&& other) noexcept;
    Ring& operator=(Ring&&) = delete;
    ~Ring();
    bool Drain(const SocketStateLayout& layout, std::vector<KernelRecord>& records);
    int event() const { return event_.get(); }

   private:
    FileDescriptor event_;
    perf_event_mmap_page* control_;
    size_t size_;        // of the records' part: a power of two
    bool full_ = false;  // was, when it was read last
  };

  PerfRings() = default;
  absl::Status OpenCpu(int cpu, size_t octets);

  SocketStateLayout layout_;
  WallClock clock_;
  FileDescriptor epoll_;
  std::vector<Ring> rings_;
  long cpus_ = 0;
};

}  // namespace sockflow::pcap
