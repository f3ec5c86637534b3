// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

#include "absl/status/statusor.h"

namespace sockflow::collector {

// Makes the signals that stop us readable from a descriptor instead of ending the program. They stay
// blocked when this is gone: a second Ctrl-C must not undo an orderly end that has begun.
class StopSignals {
 public:
  // Call before any thread is started.
  static absl::StatusOr<StopSignals> Open();
  StopSignals(StopSignals&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  StopSignals& operator=(StopSignals&&) = delete;
  ~StopSignals();

  // Readable once one of the signals has come.
  int fd() const { return fd_; }

 private:
  explicit StopSignals(int fd) : fd_(fd) {}

  int fd_;
};

}  // namespace sockflow::collector
