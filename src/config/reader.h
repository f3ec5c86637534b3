// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "sockflow/config.h"

namespace sockflow::config {

// Larger files are refused unread: a configuration is a page or two.
inline constexpr size_t kLargestFile = 1 << 20;

// The octets of a file, whatever they are. The error names the file.
absl::StatusOr<std::string> ReadFile(const std::string& file);

// Reads configuration text; see ParseConfig.
absl::StatusOr<LoadedConfig> Read(std::string_view file, std::string_view text);

}  // namespace sockflow::config
