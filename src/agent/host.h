// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "session/session_filter.h"

namespace sockflow {

// The addresses of a host: itself if it is an address, else what the system's resolver says, which may
// take its time.
absl::StatusOr<SessionFilter::Addresses> AddressesOfHost(const std::string& host);

// As gethostname gives it; empty: none.
std::string HostName();

// "6.1.0-18-amd64"; empty: not known.
std::string KernelRelease();

// This process's.
uint32_t ProcessId();

}  // namespace sockflow
