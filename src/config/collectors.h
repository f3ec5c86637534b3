// SPDX-License-Identifier: MIT
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <string>
#include <vector>

#include "config/faults.h"
#include "sockflow/config.h"

namespace sockflow::config {

// Reads the list of collectors: what its items say for themselves and what groups say for them, and
// what rules tie keys together. `pen` is what decides which elements can be listed. Notes are on
// what is odd but no fault.
std::vector<CollectorGroup> ReadCollectors(const YAML::Node& list, int line, uint32_t pen,
                                           Faults& faults, std::vector<std::string>& notes);

}  // namespace sockflow::config
