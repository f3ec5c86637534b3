// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace sockflow::ipfix {

// One character at the start of a non-empty string: how many octets it takes, and whether they are
// valid. Of an invalid one the maximal part is taken that could have begun a character (Unicode 15
// 3.9, "U+FFFD Substitution of Maximal Subparts"). NUL counts as invalid: IPFIX strings must not
// contain it, because collectors take it for padding.
struct Utf8Character {
  size_t octets;
  bool valid;
};
Utf8Character FirstCharacter(std::string_view text);

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

// Copies `text` to `out` as valid UTF-8 of at most `limit` octets, cut between two characters.
// Returns the end of what was written.
uint8_t* CopyUtf8(std::string_view text, uint8_t* out, size_t limit);

// True if one of the eight octets is not ASCII, or is NUL. (The subtraction borrows into the next
// octet's high bit only below an octet that is itself NUL, so the answer for all eight is exact.)
inline bool NeedsUtf8Check(uint64_t octets) {
  constexpr uint64_t kOnes = 0x0101010101010101u;
  constexpr uint64_t kHighBits = 0x8080808080808080u;
  return ((octets | (octets - kOnes)) & kHighBits) != 0;
}

// Copies `text` if it is ASCII without NUL and returns true; else writes what it likes to the first
// text.size() octets and returns false. Eight octets at a time, the last eight perhaps twice: names
// are short, and a call of memcpy costs more than the copy.
inline bool CopyAscii(std::string_view text, uint8_t* out) {
  const char* const in = text.data();
  const size_t size = text.size();
  if (size >= 8) {
    uint64_t word;
    for (size_t i = 0; i + 8 <= size; i += 8) {
      std::memcpy(&word, in + i, 8);
      if (NeedsUtf8Check(word)) return false;
      std::memcpy(out + i, &word, 8);
    }
    std::memcpy(&word, in + size - 8, 8);
    if (NeedsUtf8Check(word)) return false;
    std::memcpy(out + size - 8, &word, 8);
    return true;
  }
  for (size_t i = 0; i < size; ++i) {
    const auto octet = static_cast<uint8_t>(in[i]);
    if (octet == 0 || octet >= 0x80) return false;
    out[i] = octet;
  }
  return true;
}

}  // namespace sockflow::ipfix
