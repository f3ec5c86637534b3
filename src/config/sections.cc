// SPDX-License-Identifier: MIT
#include "config/sections.h"

#include <algorithm>
#include <vector>

#include "config/values.h"
#include "fmt/format.h"

namespace sockflow::config {
namespace {

// More names than a record can have fields of any use.
constexpr size_t kMostNames = 256;

class SectionReader {
 public:
  explicit SectionReader(Faults& faults) : faults_(faults) {}

  void Read(const std::string& section, const YAML::Node& map);

  Given Finish() { return std::move(given_); }

 private:
  void ReadEntry(const std::string& name, int line, const YAML::Node& node);
  void ReadKey(const Key& key, int line, const YAML::Node& node);
  std::optional<Value> ReadNames(const Key& key, int line, const YAML::Node& node);
  void UnknownKey(const std::string& section, const std::string& name, int line);

  // The keys of a map that are names and stand there once.
  struct Entry {
    std::string name;
    int line;
    YAML::Node value;
  };
  std::vector<Entry> EntriesOf(const std::string& section, const YAML::Node& map);

  Faults& faults_;
  Given given_;
};

std::vector<SectionReader::Entry> SectionReader::EntriesOf(const std::string& section,
                                                           const YAML::Node& map) {
  std::vector<Entry> entries;
  std::map<std::string, int> seen;
  for (const auto& item : map) {
    const int line = LineOf(item.first);
    if (!item.first.IsScalar()) {
      faults_.Add(line, section.empty() ? "YAML" : section,
                  "a key is empty, a list or a map; allowed are lines \"key: value\"");
      continue;
    }
    const std::string name =
        section.empty() ? item.first.Scalar() : section + "." + item.first.Scalar();
    const auto [first, is_new] = seen.emplace(name, line);
    if (!is_new) {
      const std::string shown = FindKey(name) || IsSection(name) ? name : Quote(name);
      faults_.Add(line, shown,
                  fmt::format("given twice, first in line {}; allowed is once", first->second));
      continue;
    }
    entries.push_back({name, line, item.second});
  }
  return entries;
}

void SectionReader::Read(const std::string& section, const YAML::Node& map) {
  for (const Entry& entry : EntriesOf(section, map)) {
    // "collector.port: 1" in one line is a key with a dot in its name, not a section.
    const bool dotted = entry.name.find('.', section.empty() ? 0 : section.size() + 1) !=
                        entry.name.npos;
    // The keys of a list's items are no section of the file.
    const bool is_section = IsSection(entry.name) && IsOfItem(entry.name + ".") == IsOfItem(section + ".");
    if (dotted || (FindKey(entry.name) == nullptr && !is_section)) {
      UnknownKey(section, entry.name, entry.line);
      continue;
    }
    ReadEntry(entry.name, entry.line, entry.value);
  }
}

void SectionReader::ReadEntry(const std::string& name, int line, const YAML::Node& node) {
  given_.lines.emplace(name, line);
  if (const Key* key = FindKey(name); key != nullptr) {
    ReadKey(*key, line, node);
    return;
  }
  // A section all of whose keys are commented out.
  if (node.IsNull()) return;
  if (node.IsMap()) {
    Read(name, node);
    return;
  }
  std::vector<std::string_view> leaves;
  for (const Key& key : Keys()) {
    if (key.name.starts_with(name + ".") && IsOfItem(key.name) == IsOfItem(name + ".")) leaves.push_back(key.name.substr(name.size() + 1));
  }
  faults_.Add(line, name,
              fmt::format("{} where a section belongs; allowed are, indented below it, the keys {}",
                          node.IsSequence() ? "a list" : "a single value",
                          fmt::join(leaves, ", ")));
}

void SectionReader::ReadKey(const Key& key, int line, const YAML::Node& node) {
  const bool is_list =
      key.type == Type::kItems || key.type == Type::kWords || key.type == Type::kNames;
  if (!is_list) {
    if (std::optional<Value> value = ReadScalar(key, line, node, faults_)) {
      given_.values.emplace(&key, *std::move(value));
    }
  } else if (key.may_be_single && node.IsScalar()) {
    YAML::Node alone(YAML::NodeType::Sequence);
    alone.push_back(node);
    if (std::optional<Value> value = ReadNames(key, line, alone)) given_.values.emplace(&key, *std::move(value));
  } else if (!node.IsSequence() && !node.IsNull()) {
    faults_.Add(line, key.name,
                fmt::format("{} where a list belongs; allowed is {}",
                            node.IsMap() ? "a map" : "a single value", Allowed(key)));
  } else if (key.type == Type::kItems) {
    given_.items.emplace(&key, node.IsNull() ? YAML::Node(YAML::NodeType::Sequence) : node);
  } else if (std::optional<Value> value = ReadNames(key, line, node)) {
    given_.values.emplace(&key, *std::move(value));
  }
}

std::optional<Value> SectionReader::ReadNames(const Key& key, int line, const YAML::Node& node) {
  if (node.size() == 0 && !key.may_be_empty) {
    faults_.Add(line, key.name, fmt::format("is empty; allowed is {}", Allowed(key)));
    return std::nullopt;
  }
  if (node.size() > kMostNames) {
    faults_.Add(line, key.name,
                fmt::format("{} names are too many; allowed are up to {}", node.size(),
                            kMostNames));
    return std::nullopt;
  }
  Value value;
  bool sound = true;
  for (const YAML::Node& item : node) {
    const int item_line = LineOf(item);
    absl::StatusOr<std::string> name =
        item.IsScalar() || item.IsNull()
            ? ReadName(key, item.IsNull() ? std::string() : item.Scalar())
            : absl::InvalidArgumentError(
                  fmt::format("{} within the list; allowed is {}", item.IsMap() ? "a map" : "a list",
                              Allowed(key)));
    if (!name.ok()) {
      faults_.Add(item_line, key.name, std::string(name.status().message()));
      sound = false;
    } else if (std::ranges::find(value.names, *name) != value.names.end()) {
      faults_.Add(item_line, key.name, fmt::format("{} given twice; allowed is once", Quote(*name)));
      sound = false;
    } else {
      value.names.push_back(*std::move(name));
    }
  }
  if (!sound) return std::nullopt;
  return value;
}

void SectionReader::UnknownKey(const std::string& section, const std::string& name, int line) {
  const size_t prefix = section.empty() ? 0 : section.size() + 1;
  const bool in_item = IsOfItem(section + ".");
  const std::string own = name.substr(prefix);
  if (const Key* key = FindKey(name); key != nullptr && IsOfItem(name) == in_item) {
    const size_t dot = own.find('.');
    faults_.Add(line, name,
                fmt::format("write it as a section: \"{}:\", and \"{}:\" indented below it",
                            own.substr(0, dot), own.substr(dot + 1)));
    return;
  }
  std::vector<std::string_view> siblings;
  std::vector<std::string_view> elsewhere;
  for (const Key& key : Keys()) {
    if (IsOfItem(key.name) && !in_item) continue;
    // The right key in the wrong place: "port: 4739" below exporter.
    if (key.name.ends_with("." + own)) elsewhere.push_back(key.name);
    if (!section.empty() && !key.name.starts_with(section + ".")) continue;
    const std::string_view sibling =
        key.name.substr(0, key.name.find('.', prefix)).substr(prefix);
    if (siblings.empty() || siblings.back() != sibling) siblings.push_back(sibling);
  }
  const std::vector<std::string_view> near = NearestWords(own, siblings, 1);
  std::string shown = Quote(name);
  if (shown == "\"" + name + "\"") shown = name;
  faults_.Add(line, shown,
              fmt::format("unknown key{}; allowed {} {}", DidYouMean(near.empty() ? elsewhere : near),
                          section.empty() ? "are" : "in " + faults_.Shown(section) + " are", ListOf(siblings)));
}

}  // namespace

int LineOf(const YAML::Node& node) { return std::max(node.Mark().line, 0) + 1; }

int Given::LineOf(std::string_view name) const {
  const auto found = lines.find(name);
  return found == lines.end() ? line : found->second;
}

Given ReadSections(const std::string& section, const YAML::Node& map, Faults& faults) {
  SectionReader reader(faults);
  reader.Read(section, map);
  Given given = reader.Finish();
  given.line = LineOf(map);
  return given;
}

std::optional<Value> ReadScalar(const Key& key, int line, const YAML::Node& node, Faults& faults) {
  if (node.IsMap() || node.IsSequence()) {
    faults.Add(line, key.name,
               fmt::format("{} where a single value belongs; allowed is {}",
                           node.IsMap() ? "a map" : "a list", Allowed(key)));
    return std::nullopt;
  }
  // A key without a value may well be a mistake; where nothing has a meaning, it means that.
  const bool nothing = node.IsNull();
  if (nothing && !key.may_be_empty) {
    faults.Add(line, key.name, fmt::format("has no value; allowed is {}", Allowed(key)));
    return std::nullopt;
  }
  absl::StatusOr<Value> value = ReadValue(key, nothing ? std::string() : node.Scalar());
  if (!value.ok()) {
    faults.Add(line, key.name, std::string(value.status().message()));
    return std::nullopt;
  }
  return *std::move(value);
}

}  // namespace sockflow::config
