// SPDX-License-Identifier: MIT
#include "ipfix/fields_in_markdown.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>

#include "fmt/format.h"
#include "ipfix/session_templates.h"

namespace sockflow::ipfix {
namespace {

// What an element holds in each kind of record, where neither its semantics nor its name says so.
struct Moments {
  std::string_view element, start, update, end;
};
constexpr Moments kMoments[] = {
    {"tcpControlBits", "SYN, and ACK if it is established", "so far", "of the whole session"},
    {"firewallEvent", "1 created", "5 update", "2 deleted"},
    {"flowEndReason", "-", "2 active timeout",
     "1 idle (timed out, or its end was not seen), 3 end of flow, 4 forced (the capture ended)"},
    {"flowEndSeconds", "as the start", "time of the update", "when it ended"},
    {"flowEndMilliseconds", "as the start", "time of the update", "when it ended"},
    {"flowEndMicroseconds", "as the start", "time of the update", "when it ended"},
    {"flowEndNanoseconds", "as the start", "time of the update", "when it ended"},
    {"flowDurationMilliseconds", "-", "so far", "from start to end"},
    {"sessionCloseReason", "-", "none", "why"},
    {"socketError", "-", "0", "when it closed"},
    {"ssflowEvent", "start", "-", "end"},
};

struct ProfileTemplates {
  std::string name;
  const TemplateSet& set;
};

// A profile twice where it has more under a private enterprise number.
std::vector<ProfileTemplates> TemplatesOfAll(std::optional<Profile> only) {
  std::vector<ProfileTemplates> all;
  for (const std::string_view name : ProfileNames()) {
    const Profile profile = *ParseProfile(name);
    if (only.has_value() && profile != *only) continue;
    const TemplateSet& standard = TemplatesOf(profile, false);
    const TemplateSet& with_own = TemplatesOf(profile, true);
    all.push_back({std::string(name), standard});
    if (standard.templates.data() != with_own.templates.data()) {
      all.push_back({std::string(name) + " + pen", with_own});
    }
  }
  return all;
}

bool Has(std::span<const Field> fields, const Element* element) {
  return std::ranges::find(fields, element, &Field::element) != fields.end();
}

bool Has(const TemplateSet& set, const Element* element) {
  return std::ranges::any_of(set.templates, [=](const Template& t) { return Has(t.fields, element); });
}

// "process, full", without those that have it only because a smaller one has; "lists only".
std::string ProfilesWith(const Element* element) {
  std::string names;
  for (const auto& [name, set] : TemplatesOfAll(std::nullopt)) {
    if (!Has(set, element)) continue;
    if (name == "full + pen" && Has(TemplatesOf(Profile::kFull, false), element)) continue;
    names += (names.empty() ? "" : ", ") + name;
  }
  return names.empty() ? "lists only" : names;
}

bool InStarts(const Element* element) {
  for (size_t i = 0; i < kRecordShapes; ++i) {
    const RecordShape shape = RecordShape::FromIndex(i);
    if (shape.end) continue;
    for (const auto fields : AllFieldsOf(shape)) {
      if (Has(fields, element)) return true;
    }
  }
  return false;
}

Moments MomentsOf(const Element* element) {
  for (const Moments& moments : kMoments) {
    if (moments.element == element->name) return moments;
  }
  switch (element->semantics) {
    case Semantics::kDeltaCounter:
      return {element->name, "-", "since the record before", "since the record before"};
    case Semantics::kTotalCounter: return {element->name, "-", "all so far", "all"};
    default: break;
  }
  if (InStarts(element)) return {element->name, "yes", "yes", "yes"};
  return {element->name, "-", "as it is then", "as it was at last"};
}

// Whether a template is one of starts, of what comes later, or of both.
std::string_view RecordsOf(const TemplateSet& set, const Template& description) {
  bool starts = false, ends = false;
  for (size_t i = 0; i < kRecordShapes; ++i) {
    const uint8_t position = set.of_shape[i];
    if (position == TemplateSet::kNone || set.templates[position].id != description.id) continue;
    (RecordShape::FromIndex(i).end ? ends : starts) = true;
  }
  return starts && ends ? "start, end" : starts ? "start" : "update, end";
}

}  // namespace

std::string FieldsInMarkdown(std::optional<Profile> profile, const std::vector<const Element*>& elements) {
  std::string out =
      "| name | PEN/id | type | units | semantics | profiles | start | update | end | meaning |\n"
      "|---|---|---|---|---|---|---|---|---|---|\n";
  const auto append = [&out](fmt::string_view line, const auto&... columns) {
    fmt::format_to(std::back_inserter(out), fmt::runtime(line), columns...);
  };
  const auto or_dash = [](std::string_view text) { return text.empty() ? std::string_view("-") : text; };
  for (const Element* element : elements) {
    const Moments moments = MomentsOf(element);
    append("| {} | {}/{} | {} | {} | {} | {} | {} | {} | {} | {} |\n", element->name,
           element->pen == kOwn ? "own" : std::to_string(element->pen), element->id,
           ToString(element->type), or_dash(element->units), ToString(element->semantics),
           ProfilesWith(element), moments.start, moments.update, moments.end,
           element->description.empty() ? "as IANA says" : element->description);
  }
  out += "\n| template | name | profile | records | fields |\n|---|---|---|---|---|\n";
  for (const auto& [name, set] : TemplatesOfAll(profile)) {
    for (const Template& description : set.templates) {
      append("| {} | {} | {} | {} | {} |\n", description.id, description.name, name,
             RecordsOf(set, description), description.fields.size());
    }
  }
  return out;
}

}  // namespace sockflow::ipfix
