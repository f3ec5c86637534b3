// SPDX-License-Identifier: MIT
#pragma once

#include <csignal>

namespace sockflow {

// What asks `sockflow run` and `sockflow collect` for an orderly end: Ctrl-C, and a service manager.
inline constexpr int kStopSignals[] = {SIGINT, SIGTERM};

}  // namespace sockflow
