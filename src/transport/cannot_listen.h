// SPDX-License-Identifier: MIT
#pragma once

#include "absl/status/status.h"
#include "transport/url.h"

namespace sockflow::transport {

// What an errno value of socket(2), bind(2) or listen(2) means to who chose this address.
absl::Status CannotListen(const Url& url, int error);

}  // namespace sockflow::transport
