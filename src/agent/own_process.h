// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

namespace sockflow {

// What the system says of this process; nothing where it does not say (no /proc).
struct OwnProcess {
  double user_cpu_seconds = 0;
  double system_cpu_seconds = 0;
  struct Memory {
    uint64_t resident_octets = 0;
    uint64_t virtual_octets = 0;
  };
  std::optional<Memory> memory;
  std::optional<uint64_t> open_descriptors;
  uint64_t max_descriptors = 0;
  std::optional<double> start_time;  // seconds since 1970
  std::optional<uint64_t> threads;
};

OwnProcess ReadOwnProcess();

}  // namespace sockflow
