// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace sockflow {

// Asks for the name of a user, and may take as long as it likes. kNotFound: there is no such user. Another
// error: that could not be found out.
using UserLookup = std::function<absl::StatusOr<std::string>(uint32_t uid)>;

// That of the system, which asks what /etc/nsswitch.conf names (nsswitch.conf(5)): directory servers, too.
// Null: it has none that this program may use.
UserLookup SystemUserLookup();

}  // namespace sockflow
