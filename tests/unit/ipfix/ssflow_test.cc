// SPDX-License-Identifier: MIT

// Profile ssflow against messages of the program that it stands for.

#include <chrono>
#include <fstream>
#include <iterator>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sockflow/ipfix/layout.h"
#include "sockflow/ipfix/message_encoder.h"
#include "tests/unit/ipfix/wire_builder.h"

namespace sockflow::ipfix {
namespace {

using ::testing::ElementsAreArray;
using Kind = SessionRecord::Kind;

constexpr size_t kHeader = 16;

// What its exporter sent of two sessions, without the header.
constexpr std::string_view kTemplateSet = R"(
    0002 0028 0100 0008
    0008 0004 000c 0004 0007 0002 000b 0002 0004 0001 0096 0004 84d1 ffff 84d0 ffff)";
constexpr std::string_view kThreeEvents = R"(
    0100 0058
    0a000001 0a000002 c738 01bb 06 6553f100 05 7374617274 04 6375726c
    0a000001 0a000002 c738 01bb 06 6553f102 03 656e64 04 6375726c
    00000000 0a000002 c739 01bb 06 6553f100 05 7374617274 06 763661646472)";
constexpr std::string_view kOneEvent = R"(
    0100 0020
    0a000001 0a000002 c738 01bb 06 6553f100 05 7374617274 04 6375726c)";

Session SessionFrom(const char* source, uint16_t port, const char* process) {
  Session session;
  session.local = {*IpAddress::Parse(source), port};
  session.remote = {*IpAddress::Parse("10.0.0.2"), 443};
  session.started = Time(std::chrono::milliseconds(1'700'000'000'900));
  session.ended = session.started + std::chrono::milliseconds(1500);
  session.process = Process{.pid = 1, .name = TaskName(process)};
  return session;
}

Bytes Encode(std::span<const SessionRecord> records) {
  const Layout layout = Layout::OfProfile(Profile::kSsflow, 32473);
  MessageEncoder encoder({.observation_domain = 256, .pen = layout.pen()});
  for (const Template& description : layout.templates()) {
    EXPECT_TRUE(encoder.AddTemplate(description));
  }
  for (const SessionRecord& record : records) {
    EXPECT_TRUE(encoder.Add(*layout.For(record), record));
  }
  const auto message = encoder.Finish(Time{});
  return Bytes(message.begin() + kHeader, message.end());
}

Bytes Concatenate(std::string_view a, std::string_view b) {
  Bytes octets = Hex(a);
  const Bytes more = Hex(b);
  octets.insert(octets.end(), more.begin(), more.end());
  return octets;
}

class SsflowTest : public ::testing::Test {
 protected:
  const Session first_ = SessionFrom("10.0.0.1", 51000, "curl");
  const Session second_ = SessionFrom("0.0.0.0", 51001, "v6addr");
  const std::vector<SessionRecord> three_ = {
      {Kind::kStart, first_}, {Kind::kEnd, first_}, {Kind::kStart, second_}};
  const std::vector<SessionRecord> one_ = {{Kind::kStart, first_}};
};

TEST_F(SsflowTest, IsByteIdentical) {
  EXPECT_THAT(Encode(three_), ElementsAreArray(Concatenate(kTemplateSet, kThreeEvents)));
  EXPECT_THAT(Encode(one_), ElementsAreArray(Concatenate(kTemplateSet, kOneEvent)));
}

TEST_F(SsflowTest, IsByteIdenticalToTheRecordedMessages) {
  const std::pair<const char*, Bytes> recorded[] = {
      {"50_ssflow_legacy_3_events.bin", Encode(three_)},
      {"51_ssflow_legacy_1_event.bin", Encode(one_)},
  };
  for (const auto& [name, encoded] : recorded) {
    std::ifstream file(std::string(SOCKFLOW_SHARED "/testdata/ssflow/") + name, std::ios::binary);
    if (!file) GTEST_SKIP() << name << " is not beside this checkout, in shared/testdata/ssflow";
    const Bytes octets((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    ASSERT_GT(octets.size(), kHeader) << name;
    EXPECT_THAT(encoded, ElementsAreArray(octets.begin() + kHeader, octets.end())) << name;
  }
}

// Its decoder takes every octet behind a record for another record.
TEST_F(SsflowTest, IsNotPadded) {
  const Session session = SessionFrom("10.0.0.1", 51000, "sh");
  const SessionRecord record{Kind::kStart, session};
  EXPECT_EQ(Encode(std::span(&record, 1)).size(), 40u + 4 + 26);
}

TEST_F(SsflowTest, HasNoWordForIpv6AndUpdates) {
  const Layout layout = Layout::OfProfile(Profile::kSsflow);
  Session session = first_;
  EXPECT_EQ(layout.For({Kind::kUpdate, session}), nullptr);
  session.direction = Direction::kPassive;
  EXPECT_NE(layout.For({Kind::kEnd, session}), nullptr);
  session.local.address = *IpAddress::Parse("2001:db8::1");
  session.remote.address = *IpAddress::Parse("2001:db8::2");
  EXPECT_EQ(layout.For({Kind::kStart, session}), nullptr);
  EXPECT_EQ(layout.For({Kind::kEnd, session}), nullptr);
  EXPECT_TRUE(layout.templates_in_each_message());
  EXPECT_EQ(layout.pen(), 0u);
}

}  // namespace
}  // namespace sockflow::ipfix
