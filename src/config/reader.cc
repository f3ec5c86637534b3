// SPDX-License-Identifier: MIT
#include "config/reader.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "config/collectors.h"
#include "config/faults.h"
#include "config/filter.h"
#include "config/keys.h"
#include "config/sections.h"
#include "config/values.h"
#include "fmt/format.h"
#include "ipfix/utf8.h"

namespace sockflow::config {
namespace {

void CheckCharacters(std::string_view text, Faults& faults) {
  int line = 1;
  for (std::string_view rest = text; !rest.empty();) {
    const ipfix::Utf8Character character = ipfix::FirstCharacter(rest);
    const auto first = static_cast<unsigned char>(rest.front());
    const bool control = first < 0x20 && first != '\t' && first != '\n' && first != '\r';
    if (!character.valid || control) {
      faults.Add(line, "text",
                 fmt::format("octet 0x{:02x} is not part of a text; allowed is UTF-8 without "
                             "control characters",
                             first));
      return;
    }
    if (first == '\n') ++line;
    rest.remove_prefix(character.octets);
  }
}

// yaml-cpp's words do not say that a tab is at the bottom of it (YAML 1.2 6.1).
bool IndentedWithTab(std::string_view text, int line) {
  for (int i = 1; i < line; ++i) {
    const size_t end = text.find('\n');
    if (end == text.npos) return false;
    text.remove_prefix(end + 1);
  }
  const size_t start = text.find_first_not_of(' ');
  return start != text.npos && text[start] == '\t';
}

// The file's map; nullopt: it is empty, or a fault was noted.
std::optional<YAML::Node> LoadMap(const std::string& text, Faults& faults) {
  CheckCharacters(text, faults);
  if (faults.size() > 0) return std::nullopt;
  std::vector<YAML::Node> documents;
  try {
    documents = YAML::LoadAll(text);
  } catch (const YAML::Exception& error) {
    const int line = std::max(error.mark.line, 0) + 1;
    // What yaml-cpp 0.7 calls its limit of nesting.
    const bool too_deep = error.msg == YAML::ErrorMsg::BAD_FILE;
    faults.Add(line, "YAML",
               fmt::format("{} at column {}; {}", too_deep ? "nested too deeply" : error.msg,
                           std::max(error.mark.column, 0) + 1,
                           IndentedWithTab(text, line)
                               ? "indent with blanks, not with a tab"
                               : "correct the syntax (indentation, quotes, brackets, colons)"));
    return std::nullopt;
  }
  if (documents.size() > 1) {
    faults.Add(LineOf(documents[1]), "YAML",
               "a second document (---) begins; allowed is one in a file");
    return std::nullopt;
  }
  if (documents.empty() || documents.front().IsNull()) return std::nullopt;
  const YAML::Node& root = documents.front();
  if (!root.IsMap()) {
    faults.Add(LineOf(root), "YAML",
               fmt::format("the file holds {}; allowed are lines \"key: value\"",
                           root.IsSequence() ? "a list" : "a single value"));
    return std::nullopt;
  }
  return root;
}

void ReadMap(const YAML::Node& map, Draft& draft, Faults& faults,
             std::vector<std::string>& notes) {
  const Given given = ReadSections("", map, faults);
  for (const auto& [key, value] : given.values) key->set(draft, value);
  const auto place = [&](std::string_view name) {
    return Place{.file = faults.file(), .line = given.LineOf(name), .key = std::string(name)};
  };
  const uint32_t pen = draft.config.exporter.pen;
  if (const std::string note = NoteOnPen(pen); !note.empty()) {
    notes.push_back(fmt::format("{}: {}", place("exporter.pen").ToString(), note));
  }
  if (given.Has("kubernetes.enabled")) draft.config.kubernetes.place = place("kubernetes.enabled");
  if (given.Has("collector")) draft.collector_place = place("collector");
  const auto rules_of = [&](std::string_view key) {
    const auto found = given.items.find(FindKey(key));
    return found == given.items.end() ? std::vector<FilterRule>()
                                      : ReadRules(found->second, given.LineOf(key), key, faults);
  };
  draft.config.filter = {.include = rules_of(kIncludeKey), .exclude = rules_of(kExcludeKey)};
  const auto list = given.items.find(FindKey("collectors"));
  if (list == given.items.end() || list->second.size() == 0) return;
  const int line = given.LineOf("collectors");
  draft.collectors = ReadCollectors(list->second, line, pen, faults, notes);
  for (const Key& key : Keys()) {
    if (key.name.starts_with("collector.") && given.Has(key.name)) {
      faults.Add(given.LineOf(key.name), key.name,
                 fmt::format("given beside collectors (line {}); allowed is one of the two", line));
    }
  }
}

}  // namespace

absl::StatusOr<LoadedConfig> Read(std::string_view file, std::string_view text) {
  if (text.size() > kLargestFile) {
    return absl::InvalidArgumentError(
        fmt::format("{}: longer than {} octets; is this a configuration file?", file,
                    kLargestFile));
  }
  LoadedConfig loaded;
  Draft draft(loaded.config);
  ApplyDefaults(draft);
  Faults faults(file);
  const std::optional<YAML::Node> map = LoadMap(std::string(text), faults);
  loaded.notes.push_back(map ? fmt::format("configuration read from {}", file)
                             : fmt::format("{} sets no key: every one has its default", file));
  if (map) ReadMap(*map, draft, faults, loaded.notes);
  if (absl::Status status = faults.status(); !status.ok()) return status;
  SettleCollectors(draft);
  return loaded;
}

}  // namespace sockflow::config
