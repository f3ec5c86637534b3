// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "sockflow/ipfix/template.h"

namespace sockflow::ipfix {

// What decides which fields a record can have. Updates have those of an end.
struct RecordShape {
  bool end;
  bool ipv6;
  bool passive;

  constexpr size_t index() const { return (end ? 4u : 0u) + (ipv6 ? 2u : 0u) + (passive ? 1u : 0u); }
  static constexpr RecordShape FromIndex(size_t index) {
    return {(index & 4) != 0, (index & 2) != 0, (index & 1) != 0};
  }
};
inline constexpr size_t kRecordShapes = 8;

// The templates of one profile.
struct TemplateSet {
  std::span<const SessionTemplate> templates;
  // For each shape the position of its template, or none.
  static constexpr uint8_t kNone = 255;
  std::array<uint8_t, kRecordShapes> of_shape;
};

// `own`: with the elements of our own, in profiles that have them.
const TemplateSet& TemplatesOf(Profile profile, bool own);

// Every field that a list of one's own can have in records of that shape.
std::array<std::span<const Field>, 3> AllFieldsOf(RecordShape shape);

// Lists of one's own have the template ids from here on.
inline constexpr uint16_t kFirstListedTemplateId = 0x8000;

}  // namespace sockflow::ipfix
