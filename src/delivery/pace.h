// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace sockflow::delivery {

// When how many datagrams may leave, so that a collector's receive buffer has room for them: bursts with
// a gap between. Where more come in steadily than leave in such bursts, these become longer, because to
// hold them back would only mean to lose them here.
class Pace {
 public:
  using Clock = std::chrono::steady_clock;

  // Between two bursts, so that a collector can take the one before the next comes.
  static constexpr std::chrono::milliseconds kGap{1};
  // Of the longest size that UDP messages have by default, a receive buffer of Linux's default size
  // (212,992 octets) holds 92.
  static constexpr size_t kLongestBurst = 64;

  explicit Pace(size_t burst) : burst_(burst) {}

  // So many messages have come in.
  void Arrived(size_t messages, Clock::time_point now) {
    arrived_ += messages;
    const auto elapsed = now - window_begin_;
    if (elapsed < kWindow) return;
    const auto gaps = std::max<Clock::rep>(1, elapsed / kGap);
    arriving_ = arrived_ / static_cast<size_t>(gaps);
    arrived_ = 0;
    window_begin_ = now;
  }

  // A quarter more than come in, so that what waits becomes less.
  size_t burst() const {
    return std::max(burst_, std::min(kLongestBurst, arriving_ + arriving_ / 4 + 1));
  }

  // When the next burst may leave.
  Clock::time_point next() const { return next_; }

  // A burst has left. One that was late does not put off those after it, unless there was none for long.
  void Sent(Clock::time_point now) { next_ = (now <= next_ + 4 * kGap ? next_ : now) + kGap; }

 private:
  static constexpr std::chrono::milliseconds kWindow{50};

  size_t burst_;
  Clock::time_point next_ = Clock::time_point::min();
  Clock::time_point window_begin_{};
  size_t arrived_ = 0;   // in this window
  size_t arriving_ = 0;  // messages a gap, in the last one
};

}  // namespace sockflow::delivery
