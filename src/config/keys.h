// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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
  Place collector_place{.key = "collector"};
  std::vector<CollectorGroup> collectors;
};

// A value that has been found sound; which member counts depends on the key's type.
struct Value {
  std::string text;                // kText
  uint64_t number = 0;             // kNumber; kWord: the index in words()
  Duration duration{};             // kSeconds
  std::vector<std::string> names;  // kWords, kNames: each once, in their order in the file
};

enum class Type : uint8_t {
  kText,     // read() says what is allowed
  kNumber,   // a whole number, min..max
  kSeconds,  // shortest..longest, fractions too
  kWord,     // one of words()
  kWords,    // a list of one or more of words()
  kNames,    // a list of one or more texts
  kItems,    // a list of collectors, each a URL or a map of the keys "collectors.*"; or of rules, each a map
             // of the keys "filter.rule.*"
};

// The schemes of URLs that a key goes with.
using Schemes = std::span<const std::string_view>;

struct Key {
  std::string_view name;  // with its sections: "exporter.chunk_size", "collectors.tls.ca"
  Type type = Type::kText;
  std::string_view default_value;  // as YAML; empty: none
  uint64_t min = 0;
  uint64_t max = 0;
  Duration shortest{};
  Duration longest{};
  bool power_of_two = false;
  std::span<const std::string_view> (*words)() = nullptr;
  std::string_view text_rule;  // kText, kNames, kItems: what is allowed
  absl::StatusOr<std::string> (*read)(std::string_view) = nullptr;
  bool may_be_empty = false;
  bool may_be_single = false;  // kNames: a text that is no list is the only one
  absl::Status (*check)(const Value&) = nullptr;  // what a range cannot say
  Schemes schemes{};                              // a collector's keys; empty: with every URL

  // One of these; none: lists of collectors, and what a group does with them.
  void (*set)(Draft&, const Value&) = nullptr;
  void (*set_collector)(CollectorConfig&, const Value&) = nullptr;
  void (*set_endpoint)(EndpointConfig&, const Value&) = nullptr;
  void (*set_rule)(FilterRule&, const Value&) = nullptr;

  std::string_view prose;  // for config.example.yaml; lines of at most 85
};

// What makes a group of a list's item, and its policies.
inline constexpr std::string_view kPolicyKey = "collectors.policy";
inline constexpr std::string_view kMembersKey = "collectors.collectors";
inline constexpr std::string_view kReplicate = "replicate";
inline constexpr std::string_view kFailover = "failover";
inline constexpr std::string_view kHash = "hash";

// The lists of rules, and the section of the keys of each rule.
inline constexpr std::string_view kIncludeKey = "filter.include";
inline constexpr std::string_view kExcludeKey = "filter.exclude";
inline constexpr std::string_view kRuleSection = "filter.rule";

std::span<const Key> Keys();
// nullptr if there is none.
const Key* FindKey(std::string_view name);
// True if keys are named "SECTION.*".
bool IsSection(std::string_view name);
// True for the keys of a list's items: "collectors.*", "filter.rule.*".
bool IsOfItem(std::string_view name);

// What is allowed: "a whole number from 1 to 65535".
std::string Allowed(const Key& key);

// Reads a scalar of the key's type.
absl::StatusOr<Value> ReadValue(const Key& key, std::string_view text);
// Reads one text of a list: kWords, kNames.
absl::StatusOr<std::string> ReadName(const Key& key, std::string_view text);

// Sets every key to its default.
void ApplyDefaults(Draft& draft);

// Makes the list of collectors of what the draft holds.
void SettleCollectors(Draft& draft);

}  // namespace sockflow::config
