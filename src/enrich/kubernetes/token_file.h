// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace sockflow::kubernetes {

// The token in a file, without the blanks around it. The error names the file, and what to do.
absl::StatusOr<std::string> ReadToken(const std::string& file);

}  // namespace sockflow::kubernetes
