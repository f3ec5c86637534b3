// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace sockflow::transport {

// An IPFIX message of `octets` (header and all), with content that no compressor can make smaller.
inline std::vector<uint8_t> SomeMessage(size_t octets, uint32_t seed) {
  std::vector<uint8_t> message(octets);
  uint32_t state = seed * 2654435761u + 1;
  for (uint8_t& octet : message) {
    state = state * 1664525u + 1013904223u;
    octet = static_cast<uint8_t>(state >> 24);
  }
  message[0] = 0;
  message[1] = 10;
  message[2] = static_cast<uint8_t>(octets >> 8);
  message[3] = static_cast<uint8_t>(octets);
  return message;
}

inline std::vector<std::span<const uint8_t>> Spans(
    const std::vector<std::vector<uint8_t>>& messages) {
  return {messages.begin(), messages.end()};
}

inline std::vector<uint8_t> Joined(const std::vector<std::vector<uint8_t>>& messages,
                                   size_t first = 0, size_t last = SIZE_MAX) {
  std::vector<uint8_t> all;
  for (size_t i = first; i < messages.size() && i < last; ++i) {
    all.insert(all.end(), messages[i].begin(), messages[i].end());
  }
  return all;
}

}  // namespace sockflow::transport
