// SPDX-License-Identifier: MIT
#include <algorithm>
#include <iterator>
#include <string>
#include <tuple>
#include <vector>

#include "fmt/format.h"
#include "ipfix/fields_in_markdown.h"
#include "ipfix/session_templates.h"

namespace sockflow::ipfix {
namespace {

using Elements = std::vector<const Element*>;

void Collect(std::span<const Field> fields, Elements& elements) {
  for (const Field& field : fields) elements.push_back(field.element);
}

Elements ElementsOf(std::optional<Profile> profile) {
  Elements elements;
  if (profile.has_value()) {
    for (const Template& description : TemplatesOf(*profile, true).templates) {
      Collect(description.fields, elements);
    }
  } else {
    for (size_t i = 0; i < kRecordShapes; ++i) {
      for (const auto fields : AllFieldsOf(RecordShape::FromIndex(i))) Collect(fields, elements);
    }
  }
  std::ranges::sort(elements, {}, [](const Element* e) { return std::tie(e->pen, e->id); });
  const auto repeated = std::ranges::unique(elements);
  elements.erase(repeated.begin(), repeated.end());
  return elements;
}

}  // namespace

std::string ListFields(std::optional<Profile> profile, ListFormat format) {
  if (format == ListFormat::kMarkdown) return FieldsInMarkdown(profile, ElementsOf(profile));
  const bool csv = format == ListFormat::kCsv;
  static constexpr std::string_view kCsvLine = "{},{},{},{},{},{},{}\n";
  static constexpr std::string_view kTextLine = "{:<6} {:<5} {:<32} {:<21} {:<13} {:<13} {}\n";
  std::string out;
  const auto append_line = [&out, csv](const auto&... columns) {
    if (csv) {
      fmt::format_to(std::back_inserter(out), kCsvLine, columns...);
    } else {
      fmt::format_to(std::back_inserter(out), kTextLine, columns...);
    }
  };
  append_line("pen", "id", "name", "type", "semantics", "units", "status");
  for (const Element* element : ElementsOf(profile)) {
    append_line(element->pen == kOwn ? "own" : std::to_string(element->pen), element->id,
                element->name, ToString(element->type), ToString(element->semantics),
                element->units.empty() && !csv ? std::string_view("-") : element->units,
                ToString(element->status));
  }
  return out;
}

}  // namespace sockflow::ipfix
