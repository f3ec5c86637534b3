// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "sockflow/config.h"

namespace sockflow {

// One line that tells what runs here: version, kernel, tier, which facts are looked up, where they go.
// Names of files, tokens and keys are not in it.
std::string StartupLine(const Config& config, std::string_view tier, std::string_view kernel);

}  // namespace sockflow
