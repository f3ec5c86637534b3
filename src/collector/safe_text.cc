// SPDX-License-Identifier: MIT
#include "collector/safe_text.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace sockflow::collector {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// The octets that stand for themselves in both forms.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (int c = 0x20; c < 0x7f; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

struct Utf8 {
  uint32_t character = 0;
  size_t octets = 0;  // 0: not UTF-8
};

// One character of two octets or more, by RFC 3629 4: neither overlong forms nor surrogates nor
// anything above U+10FFFF.
Utf8 ReadUtf8(const uint8_t* at, size_t left) {
  const uint8_t first = at[0];
  size_t octets;
  uint32_t character;
  uint32_t least;
  if (first >= 0xc2 && first <= 0xdf) {
    octets = 2, character = first & 0x1f, least = 0x80;
  } else if (first >= 0xe0 && first <= 0xef) {
    octets = 3, character = first & 0x0f, least = 0x800;
  } else if (first >= 0xf0 && first <= 0xf4) {
    octets = 4, character = first & 0x07, least = 0x10000;
  } else {
    return {};
  }
  if (octets > left) return {};
  for (size_t i = 1; i < octets; ++i) {
    if ((at[i] & 0xc0) != 0x80) return {};
    character = character << 6 | (at[i] & 0x3f);
  }
  if (character < least || character > 0x10ffff) return {};
  if (character >= 0xd800 && character <= 0xdfff) return {};
  return {character, octets};
}

// Controls, and characters that are not seen but change what is seen: Unicode's categories Cc and
// Cf as far as they stand outside a script, Zl and Zp, and the noncharacters of the BMP's end.
bool IsTreacherous(uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xad || c == 0x61c || c == 0x180e ||
         (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
         c == 0xfffe || c == 0xffff || (c >= 0xe0000 && c <= 0xe0fff);
}

char* WriteU(uint32_t unit, char* out) {
  *out++ = '\\';
  *out++ = 'u';
  for (int shift = 12; shift >= 0; shift -= 4) *out++ = kHex[unit >> shift & 0xf];
  return out;
}

char* WriteX(uint8_t octet, char* out) {
  *out++ = '\\';
  *out++ = 'x';
  *out++ = kHex[octet >> 4];
  *out++ = kHex[octet & 0xf];
  return out;
}

char* WriteJsonCharacter(uint32_t c, char* out) {
  switch (c) {
    case '"':
    case '\\':
      *out++ = '\\';
      *out++ = static_cast<char>(c);
      return out;
    case '\n':
      *out++ = '\\';
      *out++ = 'n';
      return out;
    case '\r':
      *out++ = '\\';
      *out++ = 'r';
      return out;
    case '\t':
      *out++ = '\\';
      *out++ = 't';
      return out;
  }
  if (c < 0x10000) return WriteU(c, out);
  c -= 0x10000;  // RFC 8259 7: a surrogate pair
  return WriteU(0xdc00 | (c & 0x3ff), WriteU(0xd800 | c >> 10, out));
}

char* WriteTerminalCharacter(uint32_t c, char* out) {
  switch (c) {
    case '"':
    case '\\':
    case '\n':
    case '\r':
    case '\t':
      return WriteJsonCharacter(c, out);
  }
  if (c < 0x80) return WriteX(static_cast<uint8_t>(c), out);
  *out++ = '\\';
  *out++ = 'u';
  *out++ = '{';
  int shift = 20;
  while ((c >> shift) == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) *out++ = kHex[c >> shift & 0xf];
  *out++ = '}';
  return out;
}

template <typename WriteCharacter, typename WriteInvalid>
char* WriteEscaped(std::string_view text, char* out, WriteCharacter write_character,
                   WriteInvalid write_invalid) {
  const auto* at = reinterpret_cast<const uint8_t*>(text.data());
  const uint8_t* const end = at + text.size();
  while (at < end) {
    if (kPlain[*at]) {
      *out++ = static_cast<char>(*at++);
      continue;
    }
    if (*at < 0x80) {
      out = write_character(*at++, out);
      continue;
    }
    const Utf8 read = ReadUtf8(at, static_cast<size_t>(end - at));
    if (read.octets == 0) {
      out = write_invalid(*at++, out);
    } else if (IsTreacherous(read.character)) {
      out = write_character(read.character, out);
      at += read.octets;
    } else {
      std::memcpy(out, at, read.octets);
      out += read.octets;
      at += read.octets;
    }
  }
  return out;
}

}  // namespace

char* WriteJsonText(std::string_view text, char* out) {
  return WriteEscaped(text, out, WriteJsonCharacter,
                      [](uint8_t, char* at) { return WriteU(0xfffd, at); });
}

char* WriteTerminalText(std::string_view text, char* out) {
  return WriteEscaped(text, out, WriteTerminalCharacter, WriteX);
}

size_t ColumnsOf(std::string_view text) {
  size_t columns = 0;
  for (const char c : text) columns += (static_cast<uint8_t>(c) & 0xc0) != 0x80;
  return columns;
}

}  // namespace sockflow::collector
