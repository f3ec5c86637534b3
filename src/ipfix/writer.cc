// SPDX-License-Identifier: MIT
#include "ipfix/writer.h"

namespace sockflow::ipfix {

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

void Writer::PutAnyFixedString(std::string_view text, uint8_t* at, size_t octets) {
  uint8_t* const end = CopyUtf8(text, at, octets);
  std::memset(end, 0, static_cast<size_t>(at + octets - end));
}

}  // namespace sockflow::ipfix
