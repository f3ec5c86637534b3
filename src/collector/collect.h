// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "collector/record_printer.h"
#include "sockflow/time.h"

namespace sockflow::collector {

struct CollectOptions {
  std::vector<std::string> listen = {"udp://0.0.0.0:4739"};
  Format format = Format::kText;
  std::string output = "-";  // a file, appended to; "-": standard output
  Duration duration{};       // zero: until SIGINT or SIGTERM
};

// `sockflow collect`: prints what exporters send until SIGINT, SIGTERM or the end of the duration,
// then says on the log what it counted. Logs through spdlog's default logger, which must not write
// to standard output. Returns the exit status: 0; 2 if an option is wrong; 1 if it could not start
// or lines could not be written. Blocks both signals for good.
int RunCollect(const CollectOptions& options);

}  // namespace sockflow::collector
