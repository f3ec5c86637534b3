// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "sockflow/event_source.h"

namespace sockflow {

// How full a BPF ring buffer is, read off the two positions that the kernel shares (kernel/bpf/ringbuf.c:
// one page with the consumer's, then one with the producer's). libbpf tells this only from 1.3 on.
class RingFill {
 public:
  using Clock = std::chrono::steady_clock;

  RingFill() = default;
  ~RingFill();
  RingFill(const RingFill&) = delete;
  RingFill& operator=(const RingFill&) = delete;

  // False: the pages cannot be shared; nothing is told then.
  bool Open(int map_fd, size_t ring_octets);

  // Before each reading of the ring buffer: two loads.
  void Note(Clock::time_point now);
  // All zero but the size if nothing could be opened.
  BufferFill fill() const;

 private:
  // How long a peak is kept at least; at most twice as long.
  static constexpr auto kTurn = std::chrono::seconds(30);

  const uint8_t* pages_ = nullptr;
  size_t page_octets_ = 0;
  uint64_t size_ = 0;
  uint64_t used_ = 0;
  uint64_t peak_ = 0;         // of this turn
  uint64_t peak_before_ = 0;  // of the turn before
  Clock::time_point turn_begin_{};
};

}  // namespace sockflow
