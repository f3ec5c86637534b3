// SPDX-License-Identifier: MIT
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <span>

#include "sockflow/ip_address.h"

namespace sockflow {

// nullopt: of no IP family.
inline std::optional<IpAddress> AddressOf(const sockaddr* address) {
  if (address == nullptr) return std::nullopt;
  if (address->sa_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in*>(address)->sin_addr;
    return IpAddress::V4(
        std::span<const uint8_t, 4>(reinterpret_cast<const uint8_t*>(&v4.s_addr), 4));
  }
  if (address->sa_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
    return IpAddress::V6(std::span<const uint8_t, 16>(v6.s6_addr));
  }
  return std::nullopt;
}

}  // namespace sockflow
