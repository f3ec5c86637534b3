// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace sockflow {

// Whether the pattern matches the text as a whole: * stands for any octets, ? for one.
bool MatchesPattern(std::string_view pattern, std::string_view text);

}  // namespace sockflow
