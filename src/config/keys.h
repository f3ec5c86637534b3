// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "sockflow/config.h"

// What may stand in a configuration file, each key in one row of one table: the reader, its
// messages, the defaults and config.example.yaml all come from there.
namespace sockflow::config {

// A configuration as its keys arrive. collector.host and collector.port make one of
// Config::collectors when all are known.
struct Draft {
  explicit Draft(Config& target) : config(target) {}

  Config& config;
  std::string collector_host;
  uint16_t collector_port = 0;
  std::vector<CollectorConfig> collectors;
};

// A value that has been found sound; which member counts depends on the key's type.
struct Value {
  std::string text;     // kText
  uint64_t number = 0;  // kNumber; kWord: the index in words()
  Duration duration{};  // kSeconds
};

enum class Type : uint8_t {
  kText,     // read() says what is allowed
  kNumber,   // a whole number, min..max
  kSeconds,  // min..max, fractions too
  kWord,     // one of words()
  kList,     // of collectors: each a URL, or a map of the keys "collectors.*"
};

struct Key {
  std::string_view name;  // with its section: "exporter.chunk_size"
  Type type = Type::kText;
  std::string_view default_value;  // as YAML; empty: must be given
  uint64_t min = 0;
  uint64_t max = 0;
  bool power_of_two = false;
  std::span<const std::string_view> (*words)() = nullptr;
  std::string_view text_rule;  // kText: what is allowed
  absl::StatusOr<std::string> (*read)(std::string_view) = nullptr;
  bool may_be_empty = false;
  void (*set)(Draft&, const Value&) = nullptr;  // null: the keys of a list's items, and the list
  std::string_view prose;                       // for config.example.yaml; lines of at most 85
};

std::span<const Key> Keys();
// nullptr if there is none.
const Key* FindKey(std::string_view name);
// True if keys are named "SECTION.*".
bool IsSection(std::string_view name);

// What is allowed: "a whole number from 1 to 65535".
std::string Allowed(const Key& key);

// Reads a scalar of the key's type.
absl::StatusOr<Value> ReadValue(const Key& key, std::string_view text);

// Sets every key to its default.
void ApplyDefaults(Draft& draft);

// Makes the list of collectors of what the draft holds.
void SettleCollectors(Draft& draft);

}  // namespace sockflow::config
