// SPDX-License-Identifier: MIT
#include "source/ebpf/kernel_rules.h"

#include "gtest/gtest.h"

namespace sockflow {
namespace {

using Rules = std::vector<FilterRule>;

TEST(KernelRulesTest, CheapKeysGoToTheKernel) {
  const filter_rules rules = KernelRulesOf(
      {.include = {{.user = {"0", "33"}, .port = {{80, 81}}, .direction = Direction::kPassive}},
       .exclude = {{.local_port = {{443, 443}}, .remote_port = {{1, 65535}}, .loopback = true}}});
  ASSERT_EQ(rules.count, 2u);
  EXPECT_EQ(rules.includes, 1u);
  const filter_rule& include = rules.rules[0];
  EXPECT_EQ(include.excludes, 0u);
  EXPECT_EQ(include.keys, FILTER_PORT | FILTER_UID | FILTER_PASSIVE);
  EXPECT_EQ(include.port.first[0], 80);
  EXPECT_EQ(include.port.last[0], 81);
  EXPECT_GT(include.port.first[1], include.port.last[1]);
  // Any, without that key.
  EXPECT_EQ(include.local_port.first[0], 0);
  EXPECT_EQ(include.local_port.last[0], 65535);
  EXPECT_EQ(include.uids[1], 33u);
  EXPECT_EQ(include.uids[2], 0xFFFFFFFF);
  const filter_rule& exclude = rules.rules[1];
  EXPECT_EQ(exclude.excludes, 1u);
  EXPECT_EQ(exclude.keys, FILTER_LOCAL_PORT | FILTER_REMOTE_PORT | FILTER_LOOPBACK);
  EXPECT_EQ(exclude.remote_port.last[0], 65535);
}

TEST(KernelRulesTest, RulesToExcludeAreWholeOrStayBehind) {
  const Rules partial = {{.process = {"a"}, .port = {{80, 80}}},
                         {.executable = {"/a"}, .port = {{80, 80}}},
                         {.user = {"0", "root"}},
                         {.container = {"0123"}, .port = {{80, 80}}},
                         {.pod_namespace = {"a"}, .port = {{80, 80}}},
                         {.address = {*IpPrefix::Parse("::/0")}, .port = {{80, 80}}},
                         {.local_address = {*IpPrefix::Parse("::/0")}, .port = {{80, 80}}},
                         {.remote_address = {*IpPrefix::Parse("::/0")}, .port = {{80, 80}}},
                         {.port = std::vector<PortRange>(9, PortRange{1, 1})}};
  for (const FilterRule& rule : partial) EXPECT_EQ(KernelRulesOf({.exclude = {rule}}).count, 0u);
  EXPECT_EQ(KernelRulesOf({.exclude = {partial[0], {.loopback = true}, partial[1]}}).count, 1u);
}

TEST(KernelRulesTest, RulesToIncludeMayMatchMore) {
  const filter_rules rules =
      KernelRulesOf({.include = {{.process = {"a"}, .port = {{80, 80}}}, {.user = {"root"}, .loopback = false}}});
  ASSERT_EQ(rules.count, 2u);
  EXPECT_EQ(rules.rules[0].keys, FILTER_PORT);
  EXPECT_EQ(rules.rules[1].keys, FILTER_NO_LOOPBACK);
  // One that matches all makes the others pointless.
  const filter_rules all = KernelRulesOf({.include = {{.port = {{80, 80}}}, {.process = {"a"}}},
                                          .exclude = {{.port = {{81, 81}}}}});
  EXPECT_EQ(all.includes, 0u);
  ASSERT_EQ(all.count, 1u);
  EXPECT_EQ(all.rules[0].excludes, 1u);
}

TEST(KernelRulesTest, NoMoreThanThereIsRoomFor) {
  const FilterRule rule{.loopback = true};
  const filter_rules many = KernelRulesOf({.include = Rules(33, rule), .exclude = Rules(40, rule)});
  EXPECT_EQ(many.includes, 0u);
  EXPECT_EQ(many.count, 32u);
  const filter_rules full = KernelRulesOf({.include = Rules(32, rule), .exclude = Rules(1, rule)});
  EXPECT_EQ(full.includes, 32u);
  EXPECT_EQ(full.count, 32u);
}

}  // namespace
}  // namespace sockflow
