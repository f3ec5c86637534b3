// SPDX-License-Identifier: MIT

// Layouts of one's own: made of the names of elements.

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "fmt/format.h"
#include "ipfix/layout_state.h"
#include "ipfix/typed_template.h"
#include "sockflow/words.h"

namespace sockflow::ipfix {
namespace {

const Field* FieldOfElement(RecordShape shape, const Element* element) {
  for (const std::span<const Field> fields : AllFieldsOf(shape)) {
    const auto found = std::ranges::find(fields, element, &Field::element);
    if (found != fields.end()) return &*found;
  }
  return nullptr;
}

bool IsExportable(const Element* element) {
  for (size_t i = 0; i < kRecordShapes; ++i) {
    if (FieldOfElement(RecordShape::FromIndex(i), element) != nullptr) return true;
  }
  return false;
}

// " (did you mean a, b or c?)", or nothing.
std::string Suggestion(std::string_view name) {
  std::set<std::string_view> exportable;
  for (size_t i = 0; i < kRecordShapes; ++i) {
    for (const std::span<const Field> fields : AllFieldsOf(RecordShape::FromIndex(i))) {
      for (const Field& field : fields) exportable.insert(field.element->name);
    }
  }
  const std::vector<std::string_view> all(exportable.begin(), exportable.end());
  return DidYouMean(NearestWords(name, all, 3));
}

absl::StatusOr<std::vector<const Element*>> FindAll(std::span<const std::string> names,
                                                    uint32_t pen) {
  constexpr size_t kLongestShown = 60;
  constexpr std::string_view kRemedy = "\"sockflow fields\" lists all";
  std::vector<const Element*> elements;
  std::vector<std::string> faults;
  for (const std::string& name : names) {
    const std::string shown = absl::Utf8SafeCHexEscape(name.substr(0, kLongestShown));
    const Element* element = FindElement(name);
    std::string fault;
    if (element == nullptr) {
      fault = fmt::format("is no element{}", Suggestion(name));
    } else if (!IsExportable(element)) {
      fault = fmt::format("is known but sockflow has no value for it{}", Suggestion(name));
    } else if (std::ranges::find(elements, element) != elements.end()) {
      fault = "is listed twice; leave one of them out";
    } else if (element->pen == kOwn && pen == 0) {
      fault = "is an element of our own and needs a private enterprise number (exporter.pen)";
    }
    if (!fault.empty()) faults.push_back(fmt::format("\"{}\" {}", shown, fault));
    elements.push_back(element);
  }
  if (!faults.empty()) {
    return absl::InvalidArgumentError(fmt::format("{}; {}", fmt::join(faults, "; "), kRemedy));
  }
  if (elements.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("the list of fields is empty; {}", kRemedy));
  }
  return elements;
}

// FNV-1a over 32 bits: the same in every run and version, so that a list keeps its ids.
class Fnv {
 public:
  void Add(uint32_t number) {
    for (int shift = 0; shift < 32; shift += 8) {
      hash_ = (hash_ ^ (number >> shift & 0xFF)) * 16777619u;
    }
  }
  uint32_t hash() const { return hash_; }

 private:
  uint32_t hash_ = 2166136261u;
};

// The first of the ids of a list, one for each shape of record. Derived from what the templates say,
// so that after a change of the list a collector that still has the old ones takes no record for what
// it is not.
uint16_t FirstId(const std::vector<std::vector<Field>>& lists, uint32_t pen) {
  constexpr uint32_t kChoices = (65536 - kFirstListedTemplateId) / kRecordShapes;
  Fnv fnv;
  for (const std::vector<Field>& fields : lists) {
    fnv.Add(static_cast<uint32_t>(fields.size()));
    for (const Field& field : fields) {
      fnv.Add(field.element->pen == kOwn ? pen : field.element->pen);
      fnv.Add(uint32_t{field.element->id} << 16 | field.length);
    }
  }
  // The low bits alone of this hash are weak.
  const uint32_t mixed = fnv.hash() ^ fnv.hash() >> 15;
  return static_cast<uint16_t>(kFirstListedTemplateId + mixed % kChoices * kRecordShapes);
}

}  // namespace

void PutListedFields(const Template& description, const void* record, Writer& writer) {
  for (const Field& field : description.fields) field.put(record, writer);
}

absl::StatusOr<Layout> Layout::OfFields(std::span<const std::string> names, uint32_t pen) {
  const auto elements = FindAll(names, pen);
  if (!elements.ok()) return elements.status();

  auto state = std::make_shared<State>();
  state->name = "fields";
  state->listed_fields.resize(kRecordShapes);
  for (size_t i = 0; i < kRecordShapes; ++i) {
    for (const Element* element : *elements) {
      const Field* field = FieldOfElement(RecordShape::FromIndex(i), element);
      if (field != nullptr) state->listed_fields[i].push_back(*field);
    }
  }
  state->has_updates = std::ranges::any_of(*elements, [](const Element* element) {
    return element == Named("firewallEvent") || element == Named("flowEndReason");
  });
  // Shapes with the same fields share a template.
  const uint16_t first_id = FirstId(state->listed_fields, pen);
  std::array<std::optional<size_t>, kRecordShapes> position;
  state->listed_names.reserve(kRecordShapes);
  for (size_t i = 0; i < kRecordShapes; ++i) {
    const std::vector<Field>& fields = state->listed_fields[i];
    if (fields.empty()) continue;
    const auto same = std::ranges::find(state->listed_fields, fields);
    const auto first = static_cast<size_t>(same - state->listed_fields.begin());
    if (first < i) {
      position[i] = position[first];
      continue;
    }
    const RecordShape shape = RecordShape::FromIndex(i);
    state->listed_names.push_back(fmt::format("fields-{}-{}-{}", shape.end ? "end" : "start",
                                              shape.ipv6 ? "ipv6" : "ipv4",
                                              shape.passive ? "passive" : "active"));
    SessionTemplate description;
    description.id = static_cast<uint16_t>(first_id + i);
    description.name = state->listed_names.back();
    description.fields = fields;
    description.put = PutListedFields;
    Measure(description);
    position[i] = state->listed_templates.size();
    state->listed_templates.push_back(description);
  }
  state->templates = state->listed_templates;
  for (size_t i = 0; i < kRecordShapes; ++i) {
    if (position[i]) state->of_shape[i] = &state->listed_templates[*position[i]];
  }
  state->Complete(pen);
  return Layout(std::move(state));
}

}  // namespace sockflow::ipfix
