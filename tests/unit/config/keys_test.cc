// SPDX-License-Identifier: MIT
#include "config/keys.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "fmt/format.h"
#include "sockflow/config.h"

namespace sockflow::config {
namespace {

std::string DefaultOf(const Key& key) {
  const std::string text(key.default_value);
  return text.starts_with('"') ? text.substr(1, text.size() - 2) : text;
}

TEST(KeysTest, EveryRowIsWhole) {
  std::set<std::string_view> names;
  for (const Key& key : Keys()) {
    EXPECT_TRUE(names.insert(key.name).second) << key.name << " has two rows";
    EXPECT_EQ(FindKey(key.name), &key);
    EXPECT_FALSE(key.prose.empty()) << key.name;
    EXPECT_FALSE(Allowed(key).empty()) << key.name;
    EXPECT_EQ(key.type == Type::kText || key.type == Type::kNames, key.read != nullptr) << key.name;
    EXPECT_EQ(key.type == Type::kWord || key.type == Type::kWords, key.words != nullptr)
        << key.name;
    EXPECT_EQ(key.min < key.max, key.type == Type::kNumber) << key.name;
    EXPECT_EQ(key.shortest < key.longest, key.type == Type::kSeconds) << key.name;
    // Each value goes to one place, and a collector's keys to a collector.
    const bool is_group = key.type == Type::kItems || key.name == kPolicyKey;
    EXPECT_EQ((key.set != nullptr) + (key.set_collector != nullptr) + (key.set_endpoint != nullptr) +
                  (key.set_rule != nullptr),
              is_group ? 0 : 1)
        << key.name;
    EXPECT_TRUE(is_group || (key.set == nullptr) == IsOfItem(key.name)) << key.name;
    EXPECT_TRUE(key.schemes.empty() || IsOfItem(key.name)) << key.name;
    if (key.default_value.starts_with('[')) {
      EXPECT_TRUE(key.type == Type::kItems || key.type == Type::kWords || key.type == Type::kNames)
          << key.name;
    } else if (!key.default_value.empty()) {
      const absl::StatusOr<Value> value = ReadValue(key, DefaultOf(key));
      EXPECT_TRUE(value.ok()) << key.name << ": " << value.status();
    }
  }
}

TEST(KeysTest, RangesHoldTheirEndsAndNoMore) {
  for (const Key& key : Keys()) {
    if (key.type != Type::kNumber) continue;
    EXPECT_TRUE(ReadValue(key, std::to_string(key.min)).ok()) << key.name;
    EXPECT_TRUE(ReadValue(key, std::to_string(key.max)).ok()) << key.name;
    EXPECT_FALSE(ReadValue(key, std::to_string(key.max + 1)).ok()) << key.name;
    EXPECT_FALSE(ReadValue(key, key.min == 0 ? "-1" : std::to_string(key.min - 1)).ok())
        << key.name;
  }
}

TEST(KeysTest, RangesOfSecondsHoldTheirEndsAndNoMore) {
  const auto text = [](Duration duration) {
    return fmt::format("{}", std::chrono::duration<double>(duration).count());
  };
  for (const Key& key : Keys()) {
    if (key.type != Type::kSeconds) continue;
    EXPECT_EQ(ReadValue(key, text(key.shortest))->duration, key.shortest) << key.name;
    EXPECT_EQ(ReadValue(key, text(key.longest))->duration, key.longest) << key.name;
    const Duration step = std::chrono::milliseconds(1);
    EXPECT_FALSE(ReadValue(key, text(key.shortest - step)).ok()) << key.name;
    EXPECT_FALSE(ReadValue(key, text(key.longest + step)).ok()) << key.name;
  }
}

TEST(KeysTest, WordsNameTheEnumerators) {
  EXPECT_EQ(*ParseTier("auto"), std::nullopt);
  for (const Tier tier : {Tier::kFentry, Tier::kKprobe, Tier::kTracepoint, Tier::kPcap}) {
    EXPECT_EQ(*ParseTier(ToString(tier)), tier);
  }
  EXPECT_EQ(ToString(Compression::kNone), "none");
  EXPECT_EQ(ToString(Compression::kGzip), "gzip");
  EXPECT_EQ(ToString(Compression::kZstd), "zstd");
  EXPECT_EQ(ToString(LogLevel::kTrace), "trace");
  EXPECT_EQ(ToString(LogLevel::kDebug), "debug");
  EXPECT_EQ(ToString(LogLevel::kInfo), "info");
  EXPECT_EQ(ToString(LogLevel::kWarning), "warning");
  EXPECT_EQ(ToString(LogLevel::kError), "error");
}

// config.example.yaml is written from the table. After a change of the table, write it again:
// SOCKFLOW_WRITE_EXAMPLE=1 config_test --gtest_filter=ExampleTest.*
TEST(ExampleTest, FileIsWhatTheTableSays) {
  if (std::getenv("SOCKFLOW_WRITE_EXAMPLE") != nullptr) {
    std::ofstream(SOCKFLOW_EXAMPLE_FILE) << ExampleConfig();
  }
  std::ifstream stream(SOCKFLOW_EXAMPLE_FILE);
  ASSERT_TRUE(stream) << "config.example.yaml is missing";
  std::stringstream text;
  text << stream.rdbuf();
  EXPECT_EQ(text.str(), ExampleConfig());
}

TEST(ExampleTest, ParsesToTheDefaults) {
  const absl::StatusOr<LoadedConfig> loaded = LoadConfig(SOCKFLOW_EXAMPLE_FILE);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config, Config());
}

TEST(ExampleTest, NamesEveryKeyWithItsDefaultAndFitsTheScreen) {
  const std::string text = ExampleConfig();
  for (const Key& key : Keys()) {
    if (IsOfItem(key.name)) {
      EXPECT_NE(text.find(fmt::format("# {}:\n", key.name)), text.npos) << key.name;
      continue;
    }
    const std::string leaf(key.name.substr(key.name.rfind('.') + 1));
    EXPECT_NE(text.find(fmt::format("{}: {}\n", leaf, key.default_value)), text.npos) << key.name;
  }
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
}

}  // namespace
}  // namespace sockflow::config
