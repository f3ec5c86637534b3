// SPDX-License-Identifier: MIT
#include "source/pcap/owners/perf_rings.h"

#include <linux/perf_event.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "fmt/format.h"

namespace sockflow::pcap {
namespace {

// A ring of 128 pages and its control page is what a user may lock for each CPU by default
// (perf_event_mlock_kb): without CAP_IPC_LOCK more is refused.
constexpr size_t kLargestRing = 512 << 10;
constexpr size_t kSmallestRing = 32 << 10;
// Larger than any record of ours. If less than this is free, a record may have found no room.
constexpr size_t kLargestRecord = 256;

// connect, its answer, listen and its end, accept's handshake, the two transitions that only a local
// close() or shutdown() makes, and resets. (States by number: TcpState.)
constexpr char kFilter[] =
    "protocol == 6 && (newstate == 2 || oldstate == 2 || newstate == 1 || newstate == 4 || newstate == 9 || "
    "newstate == 10 || newstate == 7 && (oldstate == 10 || oldstate == 1 || oldstate == 8))";

absl::Status Refused(int error, int cpu) {
  const std::string text = fmt::format("perf_event_open on CPU {}: {}", cpu, std::strerror(error));
  if (error == EACCES || error == EPERM) {
    int paranoid = 0;
    std::ifstream("/proc/sys/kernel/perf_event_paranoid") >> paranoid;
    return absl::PermissionDeniedError(fmt::format(
        "{}: give CAP_PERFMON (Linux 5.8) or CAP_SYS_ADMIN, or set kernel.perf_event_paranoid to -1 "
        "(it is {})",
        text, paranoid));
  }
  if (error == ENOSYS) {
    return absl::UnimplementedError(
        fmt::format("{}: permit it (seccomp), or build the kernel with CONFIG_PERF_EVENTS", text));
  }
  return absl::ErrnoToStatus(error, text);
}

}  // namespace

absl::StatusOr<PerfRings> PerfRings::Open(const SocketStateLayout& layout, size_t most_octets) {
  PerfRings rings;
  rings.layout_ = layout;
  rings.cpus_ = sysconf(_SC_NPROCESSORS_ONLN);
  rings.epoll_ = FileDescriptor(epoll_create1(EPOLL_CLOEXEC));
  if (!rings.epoll_) return absl::ErrnoToStatus(errno, "epoll_create1");
  const size_t each = std::clamp(std::bit_floor(most_octets / std::max(rings.cpus_, 1L)), kSmallestRing,
                                 kLargestRing);
  const long configured = sysconf(_SC_NPROCESSORS_CONF);
  for (int cpu = 0; cpu < configured; ++cpu) {
    const absl::Status status = rings.OpenCpu(cpu, each);
    if (!status.ok()) return status;
  }
  if (rings.rings_.empty()) return absl::UnavailableError("perf_event_open: no CPU is online");
  return rings;
}

absl::Status PerfRings::OpenCpu(int cpu, size_t octets) {
  perf_event_attr attributes{};
  attributes.size = sizeof(attributes);
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.config = layout_.id;
  attributes.sample_period = 1;
  attributes.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_RAW;
  attributes.sample_id_all = 1;
  attributes.disabled = 1;
  attributes.comm = 1;
  attributes.comm_exec = 1;
  attributes.task = 1;
  // Packets are stamped with CLOCK_REALTIME, which no perf event of a tracepoint may have.
  attributes.use_clockid = 1;
  attributes.clockid = CLOCK_MONOTONIC;
  attributes.watermark = 1;
  attributes.wakeup_watermark = octets / 4;
  constexpr int kEveryTask = -1;
  FileDescriptor event(static_cast<int>(
      syscall(SYS_perf_event_open, &attributes, kEveryTask, cpu, -1, PERF_FLAG_FD_CLOEXEC)));
  if (!event) {
    if (errno == ENODEV) return absl::OkStatus();  // the CPU is offline
    return Refused(errno, cpu);
  }
  if (ioctl(event.get(), PERF_EVENT_IOC_SET_FILTER, kFilter) != 0) {
    return absl::ErrnoToStatus(errno, "the kernel does not take the filter for sock:inet_sock_set_state");
  }
  const size_t length = octets + sysconf(_SC_PAGESIZE);
  void* memory = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, event.get(), 0);
  if (memory == MAP_FAILED) {
    return absl::ErrnoToStatus(
        errno, fmt::format("cannot map a perf ring of {} octets: give CAP_IPC_LOCK, or raise "
                           "kernel.perf_event_mlock_kb",
                           length));
  }
  const Ring& ring = rings_.emplace_back(std::move(event), memory, octets);
  epoll_event interest{.events = EPOLLIN, .data = {.fd = ring.event()}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, ring.event(), &interest) != 0 ||
      ioctl(ring.event(), PERF_EVENT_IOC_ENABLE, 0) != 0) {
    return absl::ErrnoToStatus(errno, fmt::format("cannot enable the perf event of CPU {}", cpu));
  }
  return absl::OkStatus();
}

bool PerfRings::Drain(std::vector<KernelRecord>& records) {
  const size_t first = records.size();
  bool whole = true;
  for (Ring& ring : rings_) whole = ring.Drain(layout_, records) && whole;
  if (records.size() == first) return whole;
  clock_.Follow();
  for (size_t i = first; i < records.size(); ++i) {
    records[i].at = clock_.FromMonotonic(records[i].at.time_since_epoch().count());
  }
  std::stable_sort(records.begin() + first, records.end(),
                   [](const KernelRecord& a, const KernelRecord& b) { return a.at < b.at; });
  epoll_event ready[8];  // what was read is not to wake anybody
  epoll_wait(epoll_.get(), ready, std::size(ready), 0);
  return whole;
}

bool PerfRings::CpusChanged() const { return sysconf(_SC_NPROCESSORS_ONLN) != cpus_; }

PerfRings::Ring::Ring(FileDescriptor event, void* memory, size_t size)
    : event_(std::move(event)), control_(static_cast<perf_event_mmap_page*>(memory)), size_(size) {}

PerfRings::Ring::Ring(Ring&& other) noexcept
    : event_(std::move(other.event_)),
      control_(std::exchange(other.control_, nullptr)),
      size_(other.size_) {}

PerfRings::Ring::~Ring() {
  if (control_ != nullptr) munmap(control_, size_ + sysconf(_SC_PAGESIZE));
}

bool PerfRings::Ring::Drain(const SocketStateLayout& layout, std::vector<KernelRecord>& records) {
  const uint64_t head = std::atomic_ref<__u64>(control_->data_head).load(std::memory_order_acquire);
  uint64_t tail = control_->data_tail;
  if (head == tail) return true;
  const bool was_full = std::exchange(full_, size_ - (head - tail) < kLargestRecord);
  bool whole = !full_;
  static const size_t kPage = sysconf(_SC_PAGESIZE);
  const uint8_t* data = reinterpret_cast<const uint8_t*>(control_) + kPage;
  uint8_t joined[UINT16_MAX];  // a record that goes on at the ring's beginning
  KernelRecord record;
  while (tail < head) {
    const size_t at = tail & (size_ - 1);
    perf_event_header header;  // never split: records are multiples of its size
    std::memcpy(&header, data + at, sizeof(header));
    if (header.size < sizeof(header) || header.size > head - tail) return false;
    const uint8_t* octets = data + at;
    if (at + header.size > size_) {
      const size_t before_end = size_ - at;
      std::memcpy(joined, octets, before_end);
      std::memcpy(joined + before_end, data, header.size - before_end);
      octets = joined;
    }
    // How many found no room is written once there is some: that it happened is mostly known by then.
    if (header.type == PERF_RECORD_LOST && !was_full) whole = false;
    if (header.type == PERF_RECORD_THROTTLE) whole = false;
    if (ReadKernelRecord(layout, {octets, header.size}, record)) records.push_back(record);
    tail += header.size;
  }
  std::atomic_ref<__u64>(control_->data_tail).store(tail, std::memory_order_release);
  return whole;
}

}  // namespace sockflow::pcap
