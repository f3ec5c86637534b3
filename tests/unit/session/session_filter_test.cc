// SPDX-License-Identifier: MIT
#include "session/session_filter.h"

#include "gtest/gtest.h"

namespace sockflow {
namespace {

Session Between(const char* local, const char* remote, Direction direction) {
  Session session;
  session.local.address = *IpAddress::Parse(local);
  session.remote.address = *IpAddress::Parse(remote);
  session.direction = direction;
  return session;
}

bool Keeps(const SessionFilter& filter, const Session& session) {
  const Choice choice = filter.Choose(session, CompiledRules::Known::kFromSource);
  EXPECT_NE(choice, Choice::kOpen);
  return choice == Choice::kKept;
}

TEST(SessionFilterTest, WithoutRulesKeepsAll) {
  EXPECT_TRUE(Keeps(SessionFilter{}, Between("192.0.2.1", "192.0.2.2", Direction::kActive)));
}

TEST(SessionFilterTest, SourceIsTheInitiator) {
  const SessionFilter filter{.sources = SessionFilter::Addresses{*IpAddress::Parse("192.0.2.1")}};
  EXPECT_TRUE(Keeps(filter, Between("192.0.2.1", "192.0.2.2", Direction::kActive)));
  EXPECT_FALSE(Keeps(filter, Between("192.0.2.1", "192.0.2.2", Direction::kPassive)));
  EXPECT_TRUE(Keeps(filter, Between("192.0.2.2", "192.0.2.1", Direction::kPassive)));
}

TEST(SessionFilterTest, InterfaceIsTheLocalSide) {
  const SessionFilter filter{
      .interface = SessionFilter::Interface{.addresses = {*IpAddress::Parse("2001:db8::1")}}};
  EXPECT_TRUE(Keeps(filter, Between("2001:db8::1", "2001:db8::2", Direction::kPassive)));
  EXPECT_FALSE(Keeps(filter, Between("2001:db8::2", "2001:db8::1", Direction::kPassive)));
  // An interface that has no address keeps nothing.
  const SessionFilter of_none{.interface = SessionFilter::Interface{}};
  EXPECT_FALSE(Keeps(of_none, Between("2001:db8::1", "2001:db8::2", Direction::kActive)));
}

TEST(SessionFilterTest, LoopbackInterfaceHasAllLoopbackAddresses) {
  const SessionFilter filter{
      .interface = SessionFilter::Interface{.addresses = {*IpAddress::Parse("127.0.0.1")},
                                            .is_loopback = true}};
  EXPECT_TRUE(Keeps(filter, Between("127.0.0.53", "127.0.0.1", Direction::kPassive)));
  EXPECT_TRUE(Keeps(filter, Between("::1", "::1", Direction::kActive)));
  EXPECT_FALSE(Keeps(filter, Between("192.0.2.1", "127.0.0.1", Direction::kActive)));
  EXPECT_FALSE(Keeps(filter, Between("::2", "::1", Direction::kActive)));
}

TEST(SessionFilterTest, RulesCountBesides) {
  const SessionFilter filter{.sources = SessionFilter::Addresses{*IpAddress::Parse("192.0.2.1")},
                             .rules = CompiledRules({.exclude = {{.direction = Direction::kPassive}}})};
  EXPECT_TRUE(Keeps(filter, Between("192.0.2.1", "192.0.2.2", Direction::kActive)));
  EXPECT_FALSE(Keeps(filter, Between("192.0.2.2", "192.0.2.1", Direction::kPassive)));
  EXPECT_FALSE(Keeps(filter, Between("192.0.2.2", "192.0.2.1", Direction::kActive)));
}

}  // namespace
}  // namespace sockflow
