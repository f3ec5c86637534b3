// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sockflow/ipfix/message_decoder.h"

namespace sockflow::ipfix {

// Where an options template has what its records tell of elements (RFC 5610 3).
struct TypeFields {
  std::array<uint16_t, 4> positions{};  // of number, id, type and name

  // nullopt: its records are of something else.
  static std::optional<TypeFields> In(const DecodedTemplate& description);
};

// Elements of our own arrive under a number that only their sender knows. Its type records tell which it is:
// one that has the id, the type and the name of an element of ours is that element. Of one transport
// session and domain; bounded.
class OwnNames {
 public:
  // What the record says, one value for each field. True if it is new.
  bool Learn(const TypeFields& fields, std::span<const std::span<const uint8_t>> values);

  // nullptr if not known.
  const Element* Find(uint32_t pen, uint16_t id) const;

 private:
  struct Name {
    uint32_t pen;
    const Element* element;
  };
  std::vector<Name> names_;
};

}  // namespace sockflow::ipfix
