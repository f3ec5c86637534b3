// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>

#include "absl/status/statusor.h"
#include "transport/socket.h"

namespace sockflow::transport {

// Where a thread waits, for a descriptor, a time, or to be woken by another thread.
class Waiter {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr int kReadable = 1;
  static constexpr int kWritable = 2;

  // kResourceExhausted: no descriptor left.
  static absl::StatusOr<std::unique_ptr<Waiter>> Make();

  // Waits for `fd` (-1: none) to become what `events` says; returns which it is, errors and hang-ups
  // as all that was asked for. 0: the deadline is over, or Wake() was called, which ends one wait.
  int Wait(int fd, int events, Clock::time_point deadline);

  // Ends the Wait that is going on, or the next one. From any thread, async-signal-safe.
  void Wake();

 private:
  explicit Waiter(Socket wake) : wake_(std::move(wake)) {}

  Socket wake_;
};

}  // namespace sockflow::transport
