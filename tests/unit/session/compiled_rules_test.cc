// SPDX-License-Identifier: MIT
#include "session/compiled_rules.h"

#include <chrono>
#include <string>

#include "gtest/gtest.h"
#include "session/pattern.h"

namespace sockflow {
namespace {

using enum Choice;
using enum CompiledRules::Known;

Session TheSession() {
  Session session{.direction = Direction::kPassive,
                  .local = {*IpAddress::Parse("192.0.2.1"), 443},
                  .remote = {*IpAddress::Parse("2001:db8::7"), 50000}};
  session.process = Process{.uid = 33, .name = TaskName("nginx")};
  session.user_name = "www-data";
  session.executable = "/usr/sbin/nginx";
  session.container = std::make_shared<ContainerFacts>(ContainerFacts{.id = "0123abcd4567"});
  session.remote_pod = std::make_shared<PodFacts>(PodFacts{.pod_namespace = "shop"});
  return session;
}

bool Includes(const FilterRule& rule, const Session& session = TheSession()) {
  const Choice included = CompiledRules({.include = {rule}}).Choose(session, kAll);
  // To exclude is the contrary.
  EXPECT_EQ(CompiledRules({.exclude = {rule}}).Choose(session, kAll), included == kKept ? kLeftOut : kKept);
  return included == kKept;
}

std::vector<IpPrefix> Prefixes(std::initializer_list<const char*> texts) {
  std::vector<IpPrefix> prefixes;
  for (const char* text : texts) prefixes.push_back(*IpPrefix::Parse(text));
  return prefixes;
}

TEST(PatternTest, MatchesAsAWhole) {
  EXPECT_TRUE(MatchesPattern("", ""));
  EXPECT_FALSE(MatchesPattern("", "a"));
  EXPECT_TRUE(MatchesPattern("*", ""));
  EXPECT_TRUE(MatchesPattern("nginx", "nginx"));
  EXPECT_FALSE(MatchesPattern("nginx", "nginx2"));
  EXPECT_FALSE(MatchesPattern("nginx", "ngin"));
  EXPECT_TRUE(MatchesPattern("php-fpm*", "php-fpm8.2"));
  EXPECT_TRUE(MatchesPattern("*/bin/*", "/usr/bin/env"));
  EXPECT_FALSE(MatchesPattern("*/bin/*", "/usr/sbin/env"));
  EXPECT_TRUE(MatchesPattern("k?d", "kid"));
  EXPECT_FALSE(MatchesPattern("k?d", "kd"));
  EXPECT_TRUE(MatchesPattern("*a*b", "aaxab"));
  EXPECT_FALSE(MatchesPattern("*a*b?", "aaxab"));
  EXPECT_TRUE(MatchesPattern("**?", "x"));
}

TEST(PatternTest, IsFastWhateverThePattern) {
  const std::string text(4096, 'a');
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "a*";
  EXPECT_FALSE(MatchesPattern(pattern + "b", text));
}

TEST(CompiledRulesTest, WithoutRulesAllAreKept) {
  EXPECT_EQ(CompiledRules().Choose(TheSession(), kFromSource), kKept);
  EXPECT_EQ(CompiledRules(FilterRules()).Choose(Session(), kAll), kKept);
}

TEST(CompiledRulesTest, OfTheProcess) {
  EXPECT_TRUE(Includes({.process = {"sshd", "nginx"}}));
  EXPECT_TRUE(Includes({.process = {"ng*"}}));
  EXPECT_FALSE(Includes({.process = {"ngin"}}));
  EXPECT_TRUE(Includes({.executable = {"/usr/*/nginx"}}));
  EXPECT_FALSE(Includes({.executable = {"/usr/bin/nginx"}}));
  EXPECT_TRUE(Includes({.user = {"www-data"}}));
  EXPECT_TRUE(Includes({.user = {"root", "33"}}));
  EXPECT_FALSE(Includes({.user = {"root", "34"}}));
  EXPECT_TRUE(Includes({.container = {"beef", "0123abcd"}}));
  EXPECT_FALSE(Includes({.container = {"123abcd"}}));
}

TEST(CompiledRulesTest, OfEitherPod) {
  EXPECT_TRUE(Includes({.pod_namespace = {"shop"}}));
  EXPECT_TRUE(Includes({.pod_namespace = {"sh*"}}));
  EXPECT_FALSE(Includes({.pod_namespace = {"default"}}));
  Session session = TheSession();
  session.pod = std::make_shared<PodFacts>(PodFacts{.pod_namespace = "default"});
  EXPECT_TRUE(Includes({.pod_namespace = {"default"}}, session));
  EXPECT_TRUE(Includes({.pod_namespace = {"shop"}}, session));
}

TEST(CompiledRulesTest, OfTheEnds) {
  EXPECT_TRUE(Includes({.address = Prefixes({"192.0.2.0/24"})}));
  EXPECT_TRUE(Includes({.address = Prefixes({"10.0.0.0/8", "2001:db8::/32"})}));
  EXPECT_FALSE(Includes({.address = Prefixes({"10.0.0.0/8"})}));
  EXPECT_TRUE(Includes({.local_address = Prefixes({"192.0.2.1"})}));
  EXPECT_FALSE(Includes({.local_address = Prefixes({"2001:db8::7"})}));
  EXPECT_TRUE(Includes({.remote_address = Prefixes({"2001:db8::7"})}));
  EXPECT_FALSE(Includes({.remote_address = Prefixes({"192.0.2.1"})}));
  EXPECT_TRUE(Includes({.port = {{443, 443}}}));
  EXPECT_TRUE(Includes({.port = {{49152, 65535}}}));
  EXPECT_FALSE(Includes({.port = {{444, 49999}, {1, 442}}}));
  EXPECT_TRUE(Includes({.local_port = {{443, 443}}}));
  EXPECT_FALSE(Includes({.local_port = {{50000, 50000}}}));
  EXPECT_TRUE(Includes({.remote_port = {{50000, 50000}}}));
  EXPECT_FALSE(Includes({.remote_port = {{443, 443}}}));
  EXPECT_TRUE(Includes({.direction = Direction::kPassive}));
  EXPECT_FALSE(Includes({.direction = Direction::kActive}));
  EXPECT_TRUE(Includes({.loopback = false}));
  EXPECT_FALSE(Includes({.loopback = true}));
  Session session = TheSession();
  session.remote.address = *IpAddress::Parse("127.0.0.53");
  EXPECT_TRUE(Includes({.loopback = true}, session));
}

TEST(CompiledRulesTest, RangesInAnyOrderAndOverlapping) {
  Session session = TheSession();
  const FilterRule rule{.local_port = {{8000, 8010}, {1, 5}, {8005, 8020}, {6, 6}, {65535, 65535}, {2, 3}}};
  for (int port = 0; port <= 65535; ++port) {
    session.local.port = static_cast<uint16_t>(port);
    const bool expected = (port >= 1 && port <= 6) || (port >= 8000 && port <= 8020) || port == 65535;
    ASSERT_EQ(CompiledRules({.include = {rule}}).Choose(session, kAll) == kKept, expected) << port;
  }
}

TEST(CompiledRulesTest, AllKeysAndAnyValue) {
  EXPECT_TRUE(Includes({.process = {"nginx"}, .local_port = {{443, 443}}, .direction = Direction::kPassive}));
  EXPECT_FALSE(Includes({.process = {"nginx"}, .local_port = {{80, 80}}}));
  EXPECT_FALSE(Includes({.process = {"sshd"}, .local_port = {{443, 443}}}));
}

TEST(CompiledRulesTest, AnyIncludesAndNoneExcludes) {
  const FilterRule https{.port = {{443, 443}}}, sshd{.process = {"sshd"}}, nginx{.process = {"nginx"}};
  EXPECT_EQ(CompiledRules({.include = {sshd, https}}).Choose(TheSession(), kAll), kKept);
  EXPECT_EQ(CompiledRules({.include = {https, sshd}}).Choose(TheSession(), kAll), kKept);
  EXPECT_EQ(CompiledRules({.include = {https}, .exclude = {sshd}}).Choose(TheSession(), kAll), kKept);
  EXPECT_EQ(CompiledRules({.include = {https}, .exclude = {sshd, nginx}}).Choose(TheSession(), kAll), kLeftOut);
}

TEST(CompiledRulesTest, WhatIsNotKnownMatchesNothing) {
  Session session = TheSession();
  session.process.reset();
  session.user_name.clear();
  session.executable.clear();
  session.container.reset();
  session.remote_pod.reset();
  for (const FilterRule& rule :
       {FilterRule{.process = {"*"}}, FilterRule{.executable = {"*"}}, FilterRule{.user = {"0"}},
        FilterRule{.container = {"0123"}}, FilterRule{.pod_namespace = {"*"}}}) {
    EXPECT_FALSE(Includes(rule, session));
  }
  session.process = Process{.uid = kNoUid};
  EXPECT_FALSE(Includes({.user = {"*", "0"}}, session));
}

TEST(CompiledRulesTest, IsOpenWhileEnrichersMayDecide) {
  const auto first = [](const FilterRules& rules) { return CompiledRules(rules).Choose(TheSession(), kFromSource); };
  const FilterRule by_path{.executable = {"/usr/sbin/nginx"}}, by_name{.user = {"www-data"}};
  EXPECT_EQ(first({.include = {by_path}}), kOpen);
  EXPECT_EQ(first({.exclude = {by_path}}), kOpen);
  EXPECT_EQ(first({.include = {by_name}}), kOpen);
  EXPECT_EQ(first({.include = {{.container = {"0123"}}}}), kOpen);
  EXPECT_EQ(first({.include = {{.pod_namespace = {"shop"}}}}), kOpen);
  // What the source tells may be enough.
  EXPECT_EQ(first({.include = {{.executable = {"*"}, .port = {{80, 80}}}}}), kLeftOut);
  EXPECT_EQ(first({.include = {by_path, {.port = {{443, 443}}}}}), kKept);
  EXPECT_EQ(first({.include = {by_path}, .exclude = {{.port = {{443, 443}}}}}), kLeftOut);
  EXPECT_EQ(first({.include = {{.user = {"33", "www-data"}}}}), kKept);
  EXPECT_EQ(first({.include = {{.port = {{443, 443}}}}, .exclude = {by_path}}), kOpen);
}

}  // namespace
}  // namespace sockflow
