// SPDX-License-Identifier: MIT
#include "sockflow/config.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/str_split.h"
#include "config/keys.h"
#include "config/reader.h"
#include "fmt/format.h"
#include "transport/url.h"

namespace sockflow {
namespace config {

namespace {

// Sound by a unit test.
Value DefaultOf(const Key& key) {
  std::string_view text = key.default_value;
  const bool quoted = text.starts_with('"');
  const bool is_list = text.starts_with('[');
  if (quoted || is_list) text = text.substr(1, text.size() - 2);
  if (!is_list) return *ReadValue(key, text);
  Value value;
  if (text.empty()) return value;
  value.names = absl::StrSplit(std::string(text), ", ");
  return value;
}

}  // namespace

void ApplyDefaults(Draft& draft) {
  for (const Key& key : Keys()) {
    if (key.set != nullptr) key.set(draft, DefaultOf(key));
  }
}

void SettleCollectors(Draft& draft) {
  if (draft.collectors.empty()) {
    const transport::Url url = {.scheme = "udp",
                                .host = draft.collector_host,
                                .port = draft.collector_port};
    CollectorConfig collector = DefaultCollector();
    collector.endpoints.push_back({.url = url.ToString(), .tls = {}, .place = draft.collector_place});
    collector.place = draft.collector_place;
    draft.collectors.push_back({.collectors = {std::move(collector)}});
  }
  draft.config.collectors = std::move(draft.collectors);
}

absl::StatusOr<std::string> ReadFile(const std::string& file) {
  const auto cannot = [&](std::string_view why) {
    return absl::InvalidArgumentError(fmt::format("{}: cannot be read: {}", file, why));
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) {
    return cannot("it is a directory; name a file");
  }
  const std::unique_ptr<std::FILE, decltype(&std::fclose)> stream(std::fopen(file.c_str(), "rb"),
                                                                 &std::fclose);
  if (stream == nullptr) {
    return cannot(fmt::format("{}; name a file that exists and that this user may read",
                              std::strerror(errno)));
  }
  // One octet more than allowed, so that too long a file shows.
  std::string text(kLargestFile + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), stream.get()));
  if (std::ferror(stream.get()) != 0) {
    return cannot(fmt::format("{}; check the file system", std::strerror(errno)));
  }
  return text;
}

}  // namespace config

std::string Place::ToString() const {
  return file.empty() ? key : fmt::format("{}:{}: {}", file, line, key);
}

CollectorConfig DefaultCollector() {
  CollectorConfig collector;
  for (const config::Key& key : config::Keys()) {
    if (key.set_collector != nullptr && !key.default_value.empty()) {
      key.set_collector(collector, config::DefaultOf(key));
    }
  }
  return collector;
}

Config::Config() {
  config::Draft draft(*this);
  config::ApplyDefaults(draft);
  config::SettleCollectors(draft);
}

std::span<const std::string_view> ConfigSearchPath() {
  static constexpr std::string_view kPath[] = {"./config.yaml", "/etc/sockflow/config.yaml"};
  return kPath;
}

absl::StatusOr<std::optional<std::string>> FindConfigFile(
    std::optional<std::string_view> named, std::span<const std::string_view> search) {
  if (named.has_value()) {
    if (named->empty()) {
      return absl::InvalidArgumentError("the name of the configuration file is empty; name a file");
    }
    return std::string(*named);
  }
  for (const std::string_view candidate : search) {
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(candidate, error);
    if (status.type() == std::filesystem::file_type::not_found) continue;
    // One that is there and cannot be read is an error, found when it is read: going on would
    // silently use another configuration.
    return std::string(candidate);
  }
  return std::nullopt;
}

absl::StatusOr<LoadedConfig> LoadConfig(const std::optional<std::string>& file) {
  if (!file.has_value()) {
    LoadedConfig loaded;
    loaded.notes.push_back(fmt::format("no configuration file ({}): every key has its default",
                                       fmt::join(ConfigSearchPath(), ", ")));
    return loaded;
  }
  const absl::StatusOr<std::string> text = config::ReadFile(*file);
  if (!text.ok()) return text.status();
  return config::Read(*file, *text);
}

absl::StatusOr<LoadedConfig> ParseConfig(std::string_view file, std::string_view text) {
  return config::Read(file, text);
}

std::string ExampleConfig() {
  std::string out =
      "# SPDX-License-Identifier: MIT\n"
      "# The configuration of `sockflow run`: every key, with its default, which it also has when\n"
      "# left out. Looked for as ./config.yaml and /etc/sockflow/config.yaml; --config names\n"
      "# another file.\n";
  std::string_view section;
  for (const config::Key& key : config::Keys()) {
    const size_t dot = key.name.find('.');
    const std::string_view head = dot == key.name.npos ? "" : key.name.substr(0, dot);
    // Keys of a list's items are told of with the list, whose default has no items.
    const bool in_item = config::IsOfItem(key.name);
    out += '\n';
    if (!in_item && head != section && !head.empty()) out += fmt::format("{}:\n", head);
    section = head;
    const std::string_view indent = head.empty() || in_item ? "" : "  ";
    if (in_item) out += fmt::format("# {}:\n", key.name);
    for (std::string_view prose = key.prose; !prose.empty();) {
      const size_t end = prose.find('\n');
      out += fmt::format("{}# {}\n", indent, prose.substr(0, end));
      prose.remove_prefix(end == prose.npos ? prose.size() : end + 1);
    }
    if (in_item || key.type != config::Type::kItems) {
      out += fmt::format("{}# Allowed: {}.\n", indent, config::Allowed(key));
    }
    if (!in_item) {
      out += fmt::format("{}{}: {}\n", indent, head.empty() ? key.name : key.name.substr(dot + 1),
                         key.default_value);
    } else if (!key.default_value.empty()) {
      out += fmt::format("# Default: {}\n", key.default_value);
    }
  }
  return out;
}

}  // namespace sockflow
