// SPDX-License-Identifier: MIT
#include "ipfix/writer.h"

#include <array>

namespace sockflow::ipfix {
namespace {

// Of a hexadecimal digit; 16 of anything else.
constexpr std::array<uint8_t, 256> kDigits = [] {
  std::array<uint8_t, 256> digits;
  digits.fill(16);
  for (uint8_t i = 0; i < 10; ++i) digits['0' + i] = i;
  for (uint8_t i = 0; i < 6; ++i) digits['a' + i] = digits['A' + i] = static_cast<uint8_t>(10 + i);
  return digits;
}();

}  // namespace

size_t Writer::PutAnyString(std::string_view text, uint8_t* at, size_t limit) {
  // How long it becomes is known afterwards, so it goes where the longer form of the length has it.
  uint8_t* const begin = at + 3;
  const auto size = static_cast<size_t>(CopyUtf8(text, begin, limit) - begin);
  if (size < kLongLength) {
    *at = static_cast<uint8_t>(size);
    std::memmove(at + 1, begin, size);
  } else {
    *at = kLongLength;
    StoreBigEndian<2>(size, at + 1);
  }
  return size;
}

void Writer::PutUuid(std::string_view text, uint8_t* at) {
  std::array<uint8_t, 16> octets{};
  size_t digits = 0;
  for (const char c : text) {
    if (c == '-') continue;
    const uint8_t digit = kDigits[static_cast<uint8_t>(c)];
    if (digit > 15 || digits == 2 * octets.size()) return;
    octets[digits / 2] = static_cast<uint8_t>(octets[digits / 2] << 4 | digit);
    ++digits;
  }
  if (digits == 2 * octets.size()) std::memcpy(at, octets.data(), octets.size());
}

void Writer::PutAnyFixedString(std::string_view text, uint8_t* at, size_t octets) {
  uint8_t* const end = CopyUtf8(text, at, octets);
  std::memset(end, 0, static_cast<size_t>(at + octets - end));
}

}  // namespace sockflow::ipfix
