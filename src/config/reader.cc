// SPDX-License-Identifier: MIT
#include "config/reader.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "config/keys.h"
#include "config/values.h"
#include "fmt/format.h"
#include "ipfix/utf8.h"

namespace sockflow::config {
namespace {

constexpr size_t kMostCollectors = 64;
// A wrong file of the right size has a fault in every line; nobody reads so many.
constexpr size_t kMostFaults = 100;

int LineOf(const YAML::Mark& mark) { return std::max(mark.line, 0) + 1; }

class Reader {
 public:
  Reader(std::string_view file, Draft& draft) : file_(file), draft_(draft) {}

  // False if the text holds no key at all.
  bool Read(const std::string& text);

  // OK, or all that was wrong, in order of lines.
  absl::Status status();

 private:
  void Fault(int line, std::string_view key, std::string_view text);
  void CheckCharacters(std::string_view text);
  void ReadSection(const std::string& section, const YAML::Node& map);
  void ReadEntry(const std::string& name, int line, const YAML::Node& node);
  void UnknownKey(const std::string& section, const std::string& name, int line);
  // nullopt: a fault was noted.
  std::optional<Value> ReadScalar(const Key& key, int line, const YAML::Node& node);
  void ReadCollectors(const Key& key, int line, const YAML::Node& node);
  void ReadCollector(const YAML::Node& item);

  // The keys of a map that are names and stand there once.
  struct Entry {
    std::string name;
    int line;
    YAML::Node value;
  };
  std::vector<Entry> EntriesOf(const std::string& section, const YAML::Node& map);

  std::string file_;
  Draft& draft_;
  std::map<std::string, int, std::less<>> lines_;  // of the keys that were given
  std::vector<std::pair<int, std::string>> faults_;
};

void Reader::Fault(int line, std::string_view key, std::string_view text) {
  faults_.emplace_back(line, fmt::format("{}:{}: {}: {}", file_, line, key, text));
}

absl::Status Reader::status() {
  if (faults_.empty()) return absl::OkStatus();
  std::stable_sort(faults_.begin(), faults_.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string message;
  for (size_t i = 0; i < faults_.size() && i < kMostFaults; ++i) {
    if (i > 0) message += '\n';
    message += faults_[i].second;
  }
  if (faults_.size() > kMostFaults) {
    message += fmt::format("\n{}: {} more faults are not listed; correct these first", file_,
                           faults_.size() - kMostFaults);
  }
  return absl::InvalidArgumentError(message);
}

void Reader::CheckCharacters(std::string_view text) {
  int line = 1;
  for (std::string_view rest = text; !rest.empty();) {
    const ipfix::Utf8Character character = ipfix::FirstCharacter(rest);
    const auto first = static_cast<unsigned char>(rest.front());
    const bool control = first < 0x20 && first != '\t' && first != '\n' && first != '\r';
    if (!character.valid || control) {
      Fault(line, "text",
            fmt::format("octet 0x{:02x} is not part of a text; allowed is UTF-8 without control "
                        "characters",
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

bool Reader::Read(const std::string& text) {
  CheckCharacters(text);
  if (!faults_.empty()) return true;
  std::vector<YAML::Node> documents;
  try {
    documents = YAML::LoadAll(text);
  } catch (const YAML::Exception& error) {
    const int line = LineOf(error.mark);
    // What yaml-cpp 0.7 calls its limit of nesting.
    const bool too_deep = error.msg == YAML::ErrorMsg::BAD_FILE;
    Fault(line, "YAML",
          fmt::format("{} at column {}; {}", too_deep ? "nested too deeply" : error.msg,
                      std::max(error.mark.column, 0) + 1,
                      IndentedWithTab(text, line)
                          ? "indent with blanks, not with a tab"
                          : "correct the syntax (indentation, quotes, brackets, colons)"));
    return true;
  }
  if (documents.size() > 1) {
    Fault(LineOf(documents[1].Mark()), "YAML",
          "a second document (---) begins; allowed is one in a file");
    return true;
  }
  if (documents.empty() || documents.front().IsNull()) return false;
  const YAML::Node& root = documents.front();
  if (!root.IsMap()) {
    Fault(LineOf(root.Mark()), "YAML",
          fmt::format("the file holds {}; allowed are lines \"key: value\"",
                      root.IsSequence() ? "a list" : "a single value"));
    return true;
  }
  ReadSection("", root);
  const auto list = lines_.find("collectors");
  for (const Key& key : Keys()) {
    if (!key.name.starts_with("collector.") || draft_.collectors.empty()) continue;
    if (const auto given = lines_.find(key.name); given != lines_.end()) {
      Fault(given->second, key.name,
            fmt::format("given beside collectors (line {}); allowed is one of the two",
                        list->second));
    }
  }
  return true;
}

std::vector<Reader::Entry> Reader::EntriesOf(const std::string& section, const YAML::Node& map) {
  std::vector<Entry> entries;
  std::map<std::string, int> seen;
  for (const auto& item : map) {
    const int line = LineOf(item.first.Mark());
    if (!item.first.IsScalar()) {
      Fault(line, section.empty() ? "YAML" : section,
            "a key is empty, a list or a map; allowed are lines \"key: value\"");
      continue;
    }
    const std::string name =
        section.empty() ? item.first.Scalar() : section + "." + item.first.Scalar();
    const auto [first, is_new] = seen.emplace(name, line);
    if (!is_new) {
      const std::string shown = FindKey(name) || IsSection(name) ? name : Quote(name);
      Fault(line, shown, fmt::format("given twice, first in line {}; allowed is once",
                                     first->second));
      continue;
    }
    entries.push_back({name, line, item.second});
  }
  return entries;
}

void Reader::ReadSection(const std::string& section, const YAML::Node& map) {
  for (const Entry& entry : EntriesOf(section, map)) {
    // "collector.port: 1" in one line is a key with a dot in its name, not a section.
    const bool dotted = entry.name.find('.', section.empty() ? 0 : section.size() + 1) !=
                        entry.name.npos;
    if (dotted || (FindKey(entry.name) == nullptr && !IsSection(entry.name))) {
      UnknownKey(section, entry.name, entry.line);
      continue;
    }
    ReadEntry(entry.name, entry.line, entry.value);
  }
}

void Reader::ReadEntry(const std::string& name, int line, const YAML::Node& node) {
  if (const Key* key = FindKey(name); key != nullptr) {
    lines_.emplace(name, line);
    if (key->type == Type::kList) {
      ReadCollectors(*key, line, node);
    } else if (const std::optional<Value> value = ReadScalar(*key, line, node)) {
      key->set(draft_, *value);
    }
    return;
  }
  // A section all of whose keys are commented out.
  if (node.IsNull()) return;
  if (node.IsMap()) {
    ReadSection(name, node);
    return;
  }
  std::vector<std::string_view> leaves;
  for (const Key& key : Keys()) {
    if (key.name.starts_with(name + ".")) leaves.push_back(key.name.substr(name.size() + 1));
  }
  Fault(line, name,
        fmt::format("{} where a section belongs; allowed are, indented below it, the keys {}",
                    node.IsSequence() ? "a list" : "a single value", fmt::join(leaves, ", ")));
}

void Reader::UnknownKey(const std::string& section, const std::string& name, int line) {
  const size_t prefix = section.empty() ? 0 : section.size() + 1;
  if (const size_t dot = name.find('.'); section.empty() && FindKey(name) != nullptr) {
    Fault(line, name,
          fmt::format("write it as a section: \"{}:\", and \"{}:\" indented below it",
                      name.substr(0, dot), name.substr(dot + 1)));
    return;
  }
  std::vector<std::string_view> siblings;
  std::string_view meant;
  for (const Key& key : Keys()) {
    if (key.name.starts_with("collectors.") && section != "collectors") continue;
    // The right key in the wrong place: "port: 4739" below exporter.
    if (meant.empty() && key.name.ends_with("." + name.substr(prefix))) meant = key.name;
    if (!section.empty() && !key.name.starts_with(section + ".")) continue;
    const std::string_view sibling =
        key.name.substr(0, key.name.find('.', prefix)).substr(prefix);
    if (siblings.empty() || siblings.back() != sibling) siblings.push_back(sibling);
  }
  const std::string_view near = Nearest(name.substr(prefix), siblings);
  std::string suggestion;
  if (!near.empty()) {
    suggestion = fmt::format(" (did you mean {}?)", near);
  } else if (!meant.empty()) {
    suggestion = fmt::format(" (did you mean {}?)", meant);
  }
  std::string shown = Quote(name);
  if (shown == "\"" + name + "\"") shown = name;
  Fault(line, shown, fmt::format("unknown key{}; allowed {} {}", suggestion,
                                 section.empty() ? "are" : "in " + section + " are",
                                 ListOf(siblings)));
}

std::optional<Value> Reader::ReadScalar(const Key& key, int line, const YAML::Node& node) {
  if (node.IsMap() || node.IsSequence()) {
    Fault(line, key.name,
          fmt::format("{} where a single value belongs; allowed is {}",
                      node.IsMap() ? "a map" : "a list", Allowed(key)));
    return std::nullopt;
  }
  // A key without a value may well be a mistake; where nothing has a meaning, it means that.
  const bool nothing = node.IsNull();
  if (nothing && !key.may_be_empty) {
    Fault(line, key.name, fmt::format("has no value; allowed is {}", Allowed(key)));
    return std::nullopt;
  }
  absl::StatusOr<Value> value = ReadValue(key, nothing ? std::string() : node.Scalar());
  if (!value.ok()) {
    Fault(line, key.name, std::string(value.status().message()));
    return std::nullopt;
  }
  return *std::move(value);
}

void Reader::ReadCollectors(const Key& key, int line, const YAML::Node& node) {
  if (node.IsNull()) return;
  if (!node.IsSequence()) {
    Fault(line, key.name,
          fmt::format("{} where a list belongs; allowed is {}",
                      node.IsMap() ? "a map" : "a single value", Allowed(key)));
    return;
  }
  if (node.size() > kMostCollectors) {
    Fault(line, key.name,
          fmt::format("{} collectors are too many; allowed are up to {}", node.size(),
                      kMostCollectors));
    return;
  }
  for (const YAML::Node& item : node) ReadCollector(item);
}

void Reader::ReadCollector(const YAML::Node& item) {
  const Key& url_key = *FindKey("collectors.url");
  const Key& profile_key = *FindKey("collectors.profile");
  const int line = LineOf(item.Mark());
  std::optional<Value> url;
  std::optional<Value> profile = *ReadValue(profile_key, profile_key.default_value);
  if (!item.IsMap()) {
    url = ReadScalar(url_key, line, item);
  } else {
    bool has_url = false;
    for (const Entry& entry : EntriesOf("collectors", item)) {
      if (entry.name == url_key.name) {
        has_url = true;
        url = ReadScalar(url_key, entry.line, entry.value);
      } else if (entry.name == profile_key.name) {
        profile = ReadScalar(profile_key, entry.line, entry.value);
      } else {
        UnknownKey("collectors", entry.name, entry.line);
      }
    }
    if (!has_url) {
      Fault(line, url_key.name, fmt::format("missing; allowed is {}", Allowed(url_key)));
    }
  }
  if (!url.has_value() || !profile.has_value()) return;
  const std::string_view word = profile_key.words()[profile->number];
  const CollectorConfig collector = {url->text, *ipfix::ParseProfile(word)};
  if (std::find(draft_.collectors.begin(), draft_.collectors.end(), collector) !=
      draft_.collectors.end()) {
    Fault(line, url_key.name,
          fmt::format("{} is listed twice with profile {}; allowed is once", collector.url, word));
    return;
  }
  draft_.collectors.push_back(collector);
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
  Reader reader(file, draft);
  const bool has_keys = reader.Read(std::string(text));
  if (absl::Status status = reader.status(); !status.ok()) return status;
  SettleCollectors(draft);
  loaded.notes.push_back(has_keys ? fmt::format("configuration read from {}", file)
                                  : fmt::format("{} sets no key: every one has its default", file));
  return loaded;
}

}  // namespace sockflow::config
