// SPDX-License-Identifier: MIT
#include "sockflow/ip_address.h"

#include <arpa/inet.h>

#include "fmt/format.h"

namespace sockflow {

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  const std::string terminated(text);
  // inet_pton reads a C string: an embedded NUL would hide what follows it.
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  std::array<uint8_t, 16> octets;
  if (inet_pton(AF_INET, terminated.c_str(), octets.data()) == 1) {
    return V4(std::span<const uint8_t, 16>(octets).first<4>());
  }
  if (inet_pton(AF_INET6, terminated.c_str(), octets.data()) == 1) return V6(octets);
  return std::nullopt;
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(is_v4_ ? AF_INET : AF_INET6, octets_.data(), text, sizeof(text));
  return text;
}

std::string ToString(const Endpoint& endpoint) {
  const std::string address = endpoint.address.ToString();
  return endpoint.address.is_v4() ? fmt::format("{}:{}", address, endpoint.port)
                                  : fmt::format("[{}]:{}", address, endpoint.port);
}

}  // namespace sockflow
