// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "session/session_filter.h"

namespace sockflow {

// A network interface of this host with its addresses. The error (kNotFound) lists the interfaces that
// there are. An interface without an address is found, and has none.
absl::StatusOr<SessionFilter::Interface> FindInterface(const std::string& name);

// The addresses of a host: itself if it is an address, else what the system's resolver says, which may
// take its time.
absl::StatusOr<SessionFilter::Addresses> AddressesOfHost(const std::string& host);

// As gethostname gives it; empty: none.
std::string HostName();

// This process's.
uint32_t ProcessId();

}  // namespace sockflow
