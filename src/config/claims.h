// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "sockflow/config.h"

namespace sockflow::config {

// Of a sound URL.
std::string_view SchemeOf(std::string_view url);

// Tells of each collector that is another's double, or claims what another has already.
void CheckClaims(std::span<const CollectorGroup> groups,
                 absl::FunctionRef<void(const Place&, const std::string& text)> fault);

}  // namespace sockflow::config
