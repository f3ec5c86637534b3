// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

#include "sockflow/time.h"

namespace sockflow {

inline Time WallClockNow() {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

}  // namespace sockflow
