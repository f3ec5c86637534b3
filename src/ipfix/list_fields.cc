// SPDX-License-Identifier: MIT
#include <algorithm>
#include <iterator>
#include <vector>

#include "fmt/format.h"
#include "sockflow/ipfix/template.h"

namespace sockflow::ipfix {
namespace {

void CollectElements(Profile profile, std::vector<const Element*>& elements) {
  for (const Template& description : TemplatesOf(profile)) {
    for (const Field& field : description.fields) elements.push_back(field.element);
  }
}

}  // namespace

std::string ListFields(std::optional<Profile> profile, ListFormat format) {
  std::vector<const Element*> elements;
  if (profile.has_value()) {
    CollectElements(*profile, elements);
  } else {
    for (const std::string_view name : ProfileNames()) {
      CollectElements(*ParseProfile(name), elements);
    }
  }
  // All point into the one table of the registry, so that their order is its order.
  std::ranges::sort(elements);
  const auto repeated = std::ranges::unique(elements);
  elements.erase(repeated.begin(), repeated.end());

  const bool csv = format == ListFormat::kCsv;
  static constexpr std::string_view kCsvLine = "{},{},{},{},{},{},{}\n";
  static constexpr std::string_view kTextLine = "{:<6} {:<4} {:<25} {:<21} {:<13} {:<13} {}\n";
  std::string out;
  const auto append_line = [&out, csv](const auto&... columns) {
    if (csv) {
      fmt::format_to(std::back_inserter(out), kCsvLine, columns...);
    } else {
      fmt::format_to(std::back_inserter(out), kTextLine, columns...);
    }
  };
  append_line("pen", "id", "name", "type", "semantics", "units", "status");
  for (const Element* element : elements) {
    append_line(element->pen, element->id, element->name, ToString(element->type),
                ToString(element->semantics),
                element->units.empty() && !csv ? std::string_view("-") : element->units,
                ToString(element->status));
  }
  return out;
}

}  // namespace sockflow::ipfix
