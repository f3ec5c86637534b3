// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sockflow/ip_address.h"

namespace sockflow {

// The addresses that begin with these bits (CIDR, RFC 4632, RFC 4291 2.3); a single address is a prefix of
// full length.
class IpPrefix {
 public:
  // Reads "192.0.2.1", "192.0.2.0/24", "2001:db8::/32"; nullopt for anything else. The network of
  // IPv4-mapped IPv6 addresses, like each of them (IpAddress), becomes one of IPv4. Bits beyond the length
  // are cleared.
  static std::optional<IpPrefix> Parse(std::string_view text);

  bool Contains(const IpAddress& address) const;

  const IpAddress& address() const { return address_; }
  // In bits, of an IPv4 address at most 32.
  uint8_t length() const { return length_; }
  // "192.0.2.0/24", and without a length if that is full.
  std::string ToString() const;

  friend bool operator==(const IpPrefix&, const IpPrefix&) = default;

 private:
  IpPrefix(const IpAddress& address, uint8_t length) : address_(address), length_(length) {}

  IpAddress address_;
  uint8_t length_;
};

}  // namespace sockflow
