// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace sockflow::pcap {

// The kernel's description of a tracepoint: the text of tracefs's events/GROUP/NAME/format. Where tracefs
// is not mounted a mount of it is made that only this call sees (Linux 5.2, CAP_SYS_ADMIN). Errors say
// what to mount or permit.
absl::StatusOr<std::string> ReadTracepointFormat(const std::string& group, const std::string& name);

}  // namespace sockflow::pcap
