// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace sockflow {

// Wall-clock time (Unix epoch, UTC) with nanosecond resolution. The middle of the program never
// reads a clock: time always arrives as an argument, so that tests and replays decide what time it
// is.
using Time = std::chrono::sys_time<std::chrono::nanoseconds>;
using Duration = std::chrono::nanoseconds;

}  // namespace sockflow
