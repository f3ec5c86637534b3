// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace sockflow {

// What was lost or could not be found out, by reason. Names are stable: they go to the log, to IPFIX and
// to metrics.
struct LossCounter {
  std::string reason;  // "ring_buffer_full", ...
  uint64_t count = 0;
};

}  // namespace sockflow
