// SPDX-License-Identifier: MIT
#pragma once

// The numbers of RFC 7011 3 and how integers lie on the wire.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace sockflow::ipfix {

inline constexpr uint16_t kVersion = 10;
inline constexpr size_t kMessageHeaderOctets = 16;
inline constexpr size_t kSetHeaderOctets = 4;
inline constexpr size_t kTemplateHeaderOctets = 4;
inline constexpr size_t kOptionsTemplateHeaderOctets = 6;
inline constexpr size_t kMaxMessageOctets = 65535;

inline constexpr uint16_t kTemplateSet = 2;
inline constexpr uint16_t kOptionsTemplateSet = 3;
inline constexpr uint16_t kFirstTemplateId = 256;  // also the first id of data sets

inline constexpr uint16_t kEnterpriseBit = 0x8000;

// A variable length below this is sent in one octet; this octet announces two more (RFC 7011 7).
inline constexpr uint8_t kLongLength = 255;

// NTP timestamps count from 1900 (RFC 7011 6.1.9, RFC 5905 6).
inline constexpr int64_t kNtpToUnixSeconds = 2'208'988'800;
// What dateTimeMicroseconds has no use for.
inline constexpr uint64_t kNtpMicrosecondsUnused = 0x7FF;

template <size_t kOctets>
constexpr void StoreBigEndian(uint64_t number, uint8_t* out) {
  static_assert(kOctets >= 1 && kOctets <= 8);
  if (std::endian::native == std::endian::little && !std::is_constant_evaluated()) {
    // In one store: GCC 12 leaves the loop below a loop.
    const uint64_t swapped = __builtin_bswap64(number << (64 - 8 * kOctets));
    std::memcpy(out, &swapped, kOctets);
    return;
  }
  for (size_t i = 0; i < kOctets; ++i) {
    out[i] = static_cast<uint8_t>(number >> (8 * (kOctets - 1 - i)));
  }
}

constexpr uint16_t Load16(const uint8_t* in) { return static_cast<uint16_t>(in[0] << 8 | in[1]); }
constexpr uint32_t Load32(const uint8_t* in) {
  return uint32_t{in[0]} << 24 | uint32_t{in[1]} << 16 | uint32_t{in[2]} << 8 | uint32_t{in[3]};
}

}  // namespace sockflow::ipfix
