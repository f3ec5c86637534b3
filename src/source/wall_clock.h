// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "sockflow/time.h"

namespace sockflow {

// Turns the kernel's CLOCK_MONOTONIC into wall-clock time. The distance between the two clocks changes
// only when somebody sets the wall clock, so it is kept until it has moved by more than the error of
// measuring it: otherwise the same moment would get two times, and a session's start would differ
// between its start record and its end record.
class WallClock {
 public:
  WallClock();

  // Looks at both clocks and follows a step of the wall clock. Cheap (no system call).
  void Follow();

  Time FromMonotonic(uint64_t monotonic_ns) const {
    return Time(Duration(static_cast<int64_t>(monotonic_ns) + offset_ns_));
  }

 private:
  int64_t offset_ns_;
};

}  // namespace sockflow
