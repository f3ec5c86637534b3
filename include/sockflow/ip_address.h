// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sockflow {

// An IPv4 or IPv6 address. An IPv4-mapped IPv6 address (::ffff:a.b.c.d, RFC 4291 2.5.5.2) becomes
// IPv4 as it enters, because a dual-stack socket that speaks to an IPv4 peer carries an IPv4
// session and must be exported as one.
class IpAddress {
 public:
  // The unspecified IPv4 address, 0.0.0.0.
  constexpr IpAddress() = default;

  // Both take octets in network order.
  static constexpr IpAddress V4(std::span<const uint8_t, 4> octets) {
    IpAddress address;
    for (size_t i = 0; i < 4; ++i) address.octets_[i] = octets[i];
    return address;
  }
  static constexpr IpAddress V6(std::span<const uint8_t, 16> octets) {
    constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    bool mapped = true;
    for (size_t i = 0; i < kMapped.size(); ++i) mapped = mapped && octets[i] == kMapped[i];
    if (mapped) return V4(octets.last<4>());
    IpAddress address;
    address.is_v4_ = false;
    for (size_t i = 0; i < 16; ++i) address.octets_[i] = octets[i];
    return address;
  }

  // Reads "192.0.2.1" or "2001:db8::1"; nullopt for anything else. No name is ever looked up.
  static std::optional<IpAddress> Parse(std::string_view text);

  constexpr bool is_v4() const { return is_v4_; }
  // 4 or 16 octets in network order.
  constexpr std::span<const uint8_t> octets() const {
    return {octets_.data(), is_v4_ ? size_t{4} : size_t{16}};
  }
  // 127.0.0.0/8 or ::1.
  constexpr bool is_loopback() const {
    if (is_v4_) return octets_[0] == 127;
    for (size_t i = 0; i < 15; ++i) {
      if (octets_[i] != 0) return false;
    }
    return octets_[15] == 1;
  }
  // "192.0.2.1" or the RFC 5952 form of an IPv6 address.
  std::string ToString() const;

  friend constexpr bool operator==(const IpAddress&, const IpAddress&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const IpAddress& a) {
    return H::combine(std::move(h), a.is_v4_, a.octets_);
  }

 private:
  std::array<uint8_t, 16> octets_{};
  bool is_v4_ = true;
};

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;  // host byte order

  friend constexpr bool operator==(const Endpoint&, const Endpoint&) = default;
};

// "192.0.2.1:80" or "[2001:db8::1]:80".
std::string ToString(const Endpoint& endpoint);

}  // namespace sockflow
