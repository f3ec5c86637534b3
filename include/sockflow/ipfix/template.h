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
  void (*put)(const SessionRecord&, Writer&) = nullptr;
};

// What the records of one kind look like. Made by MakeTemplate (src/ipfix/writer.h).
struct Template {
  uint16_t id = 0;        // >= 256, RFC 7011 3.4.1; never used for anything else, in any profile
  std::string_view name;  // for people: "process-start-ipv4-active"
  std::span<const Field> fields;

  // Derived from the fields: writes all of them, without a call for each; octets of the fields of
  // fixed length; number of the others.
  void (*put)(const SessionRecord&, Writer&) = nullptr;
  size_t fixed_octets = 0;
  size_t variable_fields = 0;
};

// The sets of templates that a collector can be sent (docs: the README's table of profiles).
enum class Profile : uint8_t { kProcess, kIanaOnly };

std::optional<Profile> ParseProfile(std::string_view name);
std::string_view ToString(Profile profile);
// The names of all profiles, for messages: "process", "iana".
std::span<const std::string_view> ProfileNames();

// All templates of a profile.
std::span<const Template> TemplatesOf(Profile profile);

// The template that describes this record. Updates use that of the end.
const Template& TemplateFor(Profile profile, const SessionRecord& record);

// What `sockflow fields` prints: every element that the profile exports, or any profile, in the
// order of the registry. CSV has the columns pen,id,name,type,semantics,units,status.
enum class ListFormat : uint8_t { kText, kCsv };
std::string ListFields(std::optional<Profile> profile, ListFormat format);

}  // namespace sockflow::ipfix
