// SPDX-License-Identifier: MIT
#include "source/ebpf/ring_fill.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

namespace sockflow {
namespace {

uint64_t Load(const uint8_t* at) {
  // The other side writes it while we read; it is an aligned unsigned long.
  auto& position = *reinterpret_cast<unsigned long*>(const_cast<uint8_t*>(at));
  return std::atomic_ref<unsigned long>(position).load(std::memory_order_acquire);
}

}  // namespace

RingFill::~RingFill() {
  if (pages_ != nullptr) munmap(const_cast<uint8_t*>(pages_), 2 * page_octets_);
}

bool RingFill::Open(int map_fd, size_t ring_octets) {
  size_ = ring_octets;
  page_octets_ = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* const pages = mmap(nullptr, 2 * page_octets_, PROT_READ, MAP_SHARED, map_fd, 0);
  if (pages == MAP_FAILED) return false;
  pages_ = static_cast<const uint8_t*>(pages);
  return true;
}

void RingFill::Note(Clock::time_point now) {
  if (pages_ == nullptr) return;
  // The consumer's first: the producer only goes on.
  const uint64_t consumed = Load(pages_);
  used_ = std::min(Load(pages_ + page_octets_) - consumed, size_);
  if (now - turn_begin_ >= kTurn) {
    peak_before_ = now - turn_begin_ >= 2 * kTurn ? 0 : peak_;
    peak_ = 0;
    turn_begin_ = now;
  }
  peak_ = std::max(peak_, used_);
}

BufferFill RingFill::fill() const {
  return {.size = size_, .used = used_, .peak = std::max(peak_, peak_before_)};
}

}  // namespace sockflow
