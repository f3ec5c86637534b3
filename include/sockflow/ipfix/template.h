// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
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

struct Template {
  uint16_t id = 0;        // >= 256, RFC 7011 3.4.1; never used for anything else, in any profile
  std::string_view name;  // for people: "start-ipv4-active"
  std::span<const Field> fields;
};

// The sets of templates that a collector can be sent (docs: the README's table of profiles).
enum class Profile : uint8_t { kProcess, kIana };

std::optional<Profile> ParseProfile(std::string_view name);
std::string_view ToString(Profile profile);
// The names of all profiles, for messages: "process", "iana".
std::span<const std::string_view> ProfileNames();

// All templates of a profile.
std::span<const Template> TemplatesOf(Profile profile);

// The template that describes this record.
const Template& TemplateFor(Profile profile, const SessionRecord& record);

}  // namespace sockflow::ipfix
