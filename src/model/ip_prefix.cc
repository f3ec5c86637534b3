// SPDX-License-Identifier: MIT
#include "sockflow/ip_prefix.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

#include "fmt/format.h"

namespace sockflow {
namespace {

// Bits before the address in an IPv4-mapped one.
constexpr unsigned kMappedBits = 96;

// The first `length` bits, then zeros.
IpAddress Masked(const IpAddress& address, unsigned length) {
  std::array<uint8_t, 16> octets{};
  const size_t count = address.octets().size();
  for (size_t i = 0; i < count; ++i) {
    const unsigned bits = std::clamp<int>(static_cast<int>(length) - static_cast<int>(8 * i), 0, 8);
    octets[i] = static_cast<uint8_t>(address.octets()[i] & ~(0xffu >> bits));
  }
  return address.is_v4() ? IpAddress::V4(std::span<const uint8_t, 16>(octets).first<4>())
                         : IpAddress::V6(octets);
}

}  // namespace

std::optional<IpPrefix> IpPrefix::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  const std::optional<IpAddress> address = IpAddress::Parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const unsigned full = address->is_v4() ? 32 : 128;
  unsigned length = full;
  if (slash != text.npos) {
    const std::string_view number = text.substr(slash + 1);
    const char* end = number.data() + number.size();
    const auto [stop, error] = std::from_chars(number.data(), end, length);
    if (error != std::errc() || stop != end) return std::nullopt;
    const bool mapped = address->is_v4() && text.find(':') != text.npos;
    if (mapped && length < kMappedBits) return std::nullopt;
    if (mapped) length -= kMappedBits;
    if (length > full) return std::nullopt;
  }
  return IpPrefix(Masked(*address, length), static_cast<uint8_t>(length));
}

bool IpPrefix::Contains(const IpAddress& address) const {
  if (address.is_v4() != address_.is_v4()) return false;
  const auto a = address.octets(), b = address_.octets();
  const size_t whole = length_ / 8;
  if (!std::equal(a.begin(), a.begin() + whole, b.begin())) return false;
  const unsigned rest = length_ % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) & ~(0xffu >> rest) & 0xff) == 0;
}

std::string IpPrefix::ToString() const {
  const bool full = length_ == 8 * address_.octets().size();
  return full ? address_.ToString() : fmt::format("{}/{}", address_.ToString(), length_);
}

}  // namespace sockflow
