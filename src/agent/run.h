// SPDX-License-Identifier: MIT
#pragma once

#include "agent/compose.h"

namespace sockflow {

// Exit statuses of every command.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;  // this host, now
inline constexpr int kExitUsage = 2;   // wrong options or configuration; nothing was started

// `sockflow run`: until SIGINT, SIGTERM or the end of the duration. Returns the exit status.
int RunAgent(const RunOptions& options);

}  // namespace sockflow
