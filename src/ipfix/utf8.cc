// SPDX-License-Identifier: MIT
#include "ipfix/utf8.h"

#include <algorithm>

namespace sockflow::ipfix {

Utf8Character FirstCharacter(std::string_view text) {
  const auto at = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = at(0);
  if (first < 0x80) return {1, first != 0};
  // Unicode 15 table 3-7: what the second octet may be depends on the first, which keeps out
  // overlong forms, surrogates and what lies beyond U+10FFFF.
  size_t length = 0;
  uint8_t low = 0x80;
  uint8_t high = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return {1, false};
  }
  for (size_t i = 1; i < length; ++i) {
    if (i >= text.size() || at(i) < low || at(i) > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {length, true};
}

uint8_t* CopyUtf8(std::string_view text, uint8_t* out, size_t limit) {
  uint8_t* const end = out + limit;
  while (!text.empty()) {
    const Utf8Character character = FirstCharacter(text);
    const std::string_view octets =
        character.valid ? text.substr(0, character.octets) : kReplacementCharacter;
    if (static_cast<size_t>(end - out) < octets.size()) break;
    out = std::copy(octets.begin(), octets.end(), out);
    text.remove_prefix(character.octets);
  }
  return out;
}

}  // namespace sockflow::ipfix
