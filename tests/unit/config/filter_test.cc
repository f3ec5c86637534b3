// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <string>

#include "fmt/format.h"
#include "sockflow/config.h"

namespace sockflow {
namespace {

FilterRules RulesOf(std::string_view text) {
  const absl::StatusOr<LoadedConfig> loaded = ParseConfig("t.yaml", text);
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  return loaded.ok() ? loaded->config.filter : FilterRules();
}

TEST(FilterConfigTest, NothingIsNoRule) {
  EXPECT_TRUE(RulesOf("").empty());
  EXPECT_TRUE(RulesOf("filter:\n").empty());
  EXPECT_TRUE(RulesOf("filter:\n  include:\n  exclude: []\n").empty());
}

TEST(FilterConfigTest, EveryKey) {
  const FilterRules rules = RulesOf(R"(
filter:
  include:
    - process: [nginx, "php-fpm*"]
      executable: /usr/sbin/*
      user: [www-data, 033]
      container: 0123ABcd
      pod_namespace: [shop, "test-*"]
      address: 2001:db8::/32
      local_address: [192.0.2.1, 10.0.0.0/8]
      remote_address: ::ffff:192.0.2.0/120
      port: 443
      local_port: [80, 8000-8010]
      remote_port: 1-65535
      direction: passive
      loopback: false
  exclude:
    - loopback: true
    - {direction: active}
)");
  ASSERT_EQ(rules.include.size(), 1u);
  const FilterRule expected = {.process = {"nginx", "php-fpm*"},
                               .executable = {"/usr/sbin/*"},
                               .user = {"www-data", "33"},
                               .container = {"0123abcd"},
                               .pod_namespace = {"shop", "test-*"},
                               .address = {*IpPrefix::Parse("2001:db8::/32")},
                               .local_address = {*IpPrefix::Parse("192.0.2.1"), *IpPrefix::Parse("10.0.0.0/8")},
                               .remote_address = {*IpPrefix::Parse("192.0.2.0/24")},
                               .port = {{443, 443}},
                               .local_port = {{80, 80}, {8000, 8010}},
                               .remote_port = {{1, 65535}},
                               .direction = Direction::kPassive,
                               .loopback = false};
  EXPECT_EQ(rules.include[0], expected);
  ASSERT_EQ(rules.exclude.size(), 2u);
  EXPECT_EQ(rules.exclude[0], FilterRule{.loopback = true});
  EXPECT_EQ(rules.exclude[1], FilterRule{.direction = Direction::kActive});
}

TEST(FilterConfigTest, TooManyRules) {
  std::string text = "filter:\n  exclude:\n";
  for (int i = 1; i <= 257; ++i) text += fmt::format("    - {{port: {}}}\n", i);
  EXPECT_EQ(std::string(ParseConfig("t.yaml", text).status().message()),
            "t.yaml:2: filter.exclude: 257 rules are too many; allowed are up to 256");
}

}  // namespace
}  // namespace sockflow
