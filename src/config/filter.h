// SPDX-License-Identifier: MIT
#pragma once

#include <yaml-cpp/yaml.h>

#include <string_view>
#include <vector>

#include "config/faults.h"
#include "sockflow/filter_rules.h"

namespace sockflow::config {

// The rules of a list; `line` is the list's, `key` its name ("filter.include").
std::vector<FilterRule> ReadRules(const YAML::Node& list, int line, std::string_view key, Faults& faults);

}  // namespace sockflow::config
