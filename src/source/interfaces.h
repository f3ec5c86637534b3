// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sockflow/ip_address.h"

namespace sockflow {

struct NetworkInterface {
  std::string name;
  uint32_t index = 0;
  bool is_loopback = false;
  bool is_up = false;
  std::vector<IpAddress> addresses;  // perhaps none
};

// Those of this host (of this process's network namespace), by their index. kInternal: the system does
// not say.
absl::StatusOr<std::vector<NetworkInterface>> ListInterfaces();

// The one of this name, or kNotFound with those that there are.
absl::StatusOr<NetworkInterface> FindInterface(const std::string& name);

}  // namespace sockflow
