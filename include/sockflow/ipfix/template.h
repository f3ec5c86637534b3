// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sockflow/ipfix/element.h"
#include "sockflow/session.h"

namespace sockflow::ipfix {

class Writer;

// One field of a template: what it is, how long it is on the wire, and how its value is written.
// Template record, data record and `sockflow fields` all come from this one line.
struct Field {
  const Element* element = nullptr;
  uint16_t length = 0;  // octets, or kVariableLength
  // The record is of the type that the template is for. Made only by the typed functions of
  // src/ipfix/typed_template.h.
  void (*put)(const void* record, Writer&) = nullptr;

  friend bool operator==(const Field&, const Field&) = default;
};

// What the records of one kind look like, those of options included. Always a TemplateOf<Record>,
// which says of what it takes the values.
struct Template {
  uint16_t id = 0;        // >= 256, RFC 7011 3.4.1; never used for anything else, in any profile
  std::string_view name;  // for people: "process-start-ipv4-active"
  // 0: describes data. Otherwise an options template (RFC 7011 3.4.2.2), the first so many fields of
  // which say what the others tell of.
  uint16_t scope_fields = 0;
  std::span<const Field> fields;
  // RFC 7011 3.3.1 lets sets be padded; readers of profile ssflow take the padding for records.
  bool padded = true;

  // Derived from the fields: writes all of them; octets of the fields of fixed length; number of the
  // others.
  void (*put)(const Template&, const void* record, Writer&) = nullptr;
  size_t fixed_octets = 0;
  size_t variable_fields = 0;
};

template <typename Record>
struct TemplateOf : Template {};

using SessionTemplate = TemplateOf<SessionRecord>;

// The sets of templates that a collector can be sent (docs: the README's table of profiles).
enum class Profile : uint8_t { kProcess, kIanaOnly, kFixed, kFull, kSsflow };

std::optional<Profile> ParseProfile(std::string_view name);
std::string_view ToString(Profile profile);
// The names of all profiles, for messages: "process", "iana", ...
std::span<const std::string_view> ProfileNames();

// What `sockflow fields` prints: every element that records of the profile can have; without a
// profile every element that a list of one's own (Layout::OfFields) can have, those of all profiles
// but ssflow's two included. In the order of enterprise number and id. CSV has the columns pen,id,name,type,semantics,units,status. Elements of
// our own are listed whether or not a number is configured for them, with the word "own" in the
// column pen. The two elements of profile ssflow are listed as they are sent: without a number, 0.
// Markdown (docs/fields.md) says also which profiles have an element and what it holds in a start, an
// update and an end, and lists the templates.
enum class ListFormat : uint8_t { kText, kCsv, kMarkdown };
std::string ListFields(std::optional<Profile> profile, ListFormat format);

}  // namespace sockflow::ipfix
