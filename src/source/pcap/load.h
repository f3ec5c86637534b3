// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace sockflow::pcap {

// The unsigned integer whose octets begin at `in`.
template <typename T>
constexpr T Load(const uint8_t* in, std::endian order = std::endian::big) {
  T number = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    const size_t at = order == std::endian::big ? i : sizeof(T) - 1 - i;
    number = static_cast<T>(number << 8 | in[at]);
  }
  return number;
}

}  // namespace sockflow::pcap
