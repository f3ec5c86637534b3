// SPDX-License-Identifier: MIT
#include "delivery/courier.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/delivery/fake_transport.h"

namespace sockflow::delivery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using Clock = Courier::Clock;
using Outcome = Transport::Outcome;

constexpr size_t kHeader = 16;

// A message of one octet after the header, which tells it apart.
ipfix::Message MessageOf(char label, uint32_t records, size_t octets = kHeader + 1) {
  ipfix::Message message{.octets = std::vector<uint8_t>(octets), .records = records};
  message.octets[15] = 1;  // the domain
  message.octets[kHeader] = static_cast<uint8_t>(label);
  return message;
}

Cargo Flows(char label, uint32_t records = 1, size_t octets = kHeader + 1) {
  return {.message = MessageOf(label, records, octets), .flow_packets = 3, .flow_octets = 100};
}

uint32_t SequenceOf(const FarSide::Octets& m) {
  return uint32_t{m[8]} << 24 | uint32_t{m[9]} << 16 | uint32_t{m[10]} << 8 | m[11];
}

// "T0" "a0": label and sequence number of each message.
std::vector<std::string> Lines(const std::vector<FarSide::Octets>& messages) {
  std::vector<std::string> lines;
  for (const auto& message : messages) {
    lines.push_back(static_cast<char>(message[kHeader]) + std::to_string(SequenceOf(message)));
  }
  return lines;
}

class CourierTest : public ::testing::Test {
 protected:
  Courier::Options Defaults() {
    return {.preamble = {MessageOf('T', 0)}, .reconnect_interval = milliseconds(5)};
  }
  void Start(Courier::Options options, int candidates = 1) {
    std::vector<std::unique_ptr<Transport>> transports;
    transports.push_back(std::make_unique<FakeTransport>(far_, "first"));
    if (candidates > 1) transports.push_back(std::make_unique<FakeTransport>(second_, "second"));
    auto started = Courier::Start(std::move(options), std::move(transports));
    ASSERT_TRUE(started.ok()) << started.status();
    courier_ = *std::move(started);
  }
  DeliveryStats Finish(Duration time = seconds(10)) {
    courier_->Finish(Clock::now() + time);
    EXPECT_TRUE(Eventually([&] { return courier_->finished(); }));
    return courier_->stats();
  }
  bool Arrived(size_t messages) {
    return Eventually([&] { return far_.all().size() >= messages; });
  }
  template <typename Function>
  void Change(Function change) {
    const std::lock_guard lock(far_.mutex);
    change(far_);
  }

  FarSide far_, second_;
  std::unique_ptr<Courier> courier_;  // first to go: its thread uses the others
};

TEST_F(CourierTest, ASessionBeginsWithThePreambleAndNumbersCountRecords) {
  Start(Defaults());
  courier_->Put(Flows('a', 5));
  courier_->Put(Flows('b', 2));
  courier_->Put(Flows('c'));
  const DeliveryStats stats = Finish();
  EXPECT_THAT(Lines(far_.all()), ElementsAre("T0", "a0", "b5", "c7"));
  EXPECT_EQ(stats.messages, 4u);
  EXPECT_EQ(stats.records, 8u);
  EXPECT_EQ(stats.lost_records, 0u);
  EXPECT_EQ(stats.queued_records, 0u);
  EXPECT_EQ(far_.closes, 1);
}

TEST_F(CourierTest, SendsWithoutBeingAsked) {
  Start(Defaults());
  courier_->Put(Flows('a'));
  EXPECT_TRUE(Arrived(2));
  // From sleep, too.
  courier_->Put(Flows('b'));
  EXPECT_TRUE(Arrived(3));
}

TEST_F(CourierTest, FirstSequenceIsThatOfTheSession) {
  Courier::Options options = Defaults();
  options.first_sequence = 0xFFFF'FFFF;
  Start(std::move(options));
  courier_->Put(Flows('a', 2));
  courier_->Put(Flows('b'));
  Finish();
  EXPECT_THAT(Lines(far_.all()), ElementsAre("T4294967295", "a4294967295", "b1"));
}

TEST_F(CourierTest, ANewSessionBeginsWithTemplatesAndFromZero) {
  Start(Defaults());
  courier_->Put(Flows('a', 3));
  ASSERT_TRUE(Arrived(2));
  Change([](FarSide& far) {
    far.take = [&far](const FarSide::Octets&) -> Transport::Result {
      far.take = [](const FarSide::Octets&) { return Transport::Result{}; };
      return {.outcome = Outcome::kSessionOver, .status = absl::UnavailableError("reset")};
    };
  });
  courier_->Put(Flows('b', 2));
  ASSERT_TRUE(Arrived(4));
  const DeliveryStats stats = Finish();
  EXPECT_THAT(Lines(far_.all()), ElementsAre("T0", "a0", "T0", "b0"));
  EXPECT_EQ(stats.sessions, 2u);
  EXPECT_EQ(stats.lost_records, 0u);
}

TEST_F(CourierTest, WhatMayNotHaveArrivedIsSentAgain) {
  far_.unconfirmed = 2;
  Start(Defaults());
  for (char label : {'a', 'b', 'c'}) courier_->Put(Flows(label));
  ASSERT_TRUE(Arrived(4));
  Change([](FarSide& far) {
    far.take = [&far](const FarSide::Octets&) -> Transport::Result {
      far.take = [](const FarSide::Octets&) { return Transport::Result{}; };
      return {.outcome = Outcome::kSessionOver, .status = absl::UnavailableError("reset")};
    };
  });
  courier_->Put(Flows('d'));
  ASSERT_TRUE(Arrived(8));
  Change([](FarSide& far) { far.unconfirmed = 0; });
  const DeliveryStats stats = Finish();
  EXPECT_THAT(Lines(far_.all()),
              ElementsAre("T0", "a0", "b1", "c2", "T0", "b0", "c1", "d2"));
  EXPECT_EQ(stats.records, 4u) << "each counts once";
}

TEST_F(CourierTest, ALostMessageLeavesAGapAndIsCounted) {
  far_.take = [](const FarSide::Octets& message) -> Transport::Result {
    if (message[kHeader] != 'b') return {};
    return {.outcome = Outcome::kMessageLost, .status = absl::OutOfRangeError("too long")};
  };
  Start(Defaults());
  courier_->Put(Flows('a', 2));
  courier_->Put(Flows('b', 7));
  courier_->Put(Flows('c'));
  const DeliveryStats stats = Finish();
  EXPECT_THAT(Lines(far_.all()), ElementsAre("T0", "a0", "c9"));
  EXPECT_EQ(stats.lost_records, 7u);
  EXPECT_EQ(stats.lost_flow_packets, 3u);
  EXPECT_EQ(stats.lost_flow_octets, 100u);
  EXPECT_EQ(stats.lost_by_reason.at("message_too_long"), 7u);
  EXPECT_TRUE(stats.first_loss.has_value() && stats.last_loss >= stats.first_loss);
  EXPECT_EQ(stats.records, 3u);
}

TEST_F(CourierTest, AFullQueueLosesTheNewestAndTheGapShows) {
  bool busy = true;
  far_.take = [&](const FarSide::Octets& message) -> Transport::Result {
    if (busy && message[kHeader] != 'T') return {.outcome = Outcome::kBusy};
    return {};
  };
  Courier::Options options = Defaults();
  options.queue_octets = 2 * (kHeader + 1);
  Start(std::move(options));
  ASSERT_TRUE(Arrived(1));
  courier_->Put(Flows('a', 1));
  courier_->Put(Flows('b', 2));
  courier_->Put(Flows('c', 4));
  courier_->Put(Flows('d', 8));
  EXPECT_EQ(courier_->stats().lost_by_reason.at("queue_full"), 12u);
  EXPECT_EQ(courier_->stats().queued_records, 3u);
  Change([&](FarSide&) { busy = false; });
  ASSERT_TRUE(Arrived(3));
  courier_->Put(Flows('e'));
  const DeliveryStats stats = Finish();
  EXPECT_EQ(stats.records, 4u);
  EXPECT_EQ(stats.lost_records, 12u);
  // Wherever the gap is, it is in the numbers once.
  const auto messages = far_.all();
  ASSERT_EQ(messages.size(), 4u);
  EXPECT_EQ(SequenceOf(messages.back()), 3u + 12u);
}

TEST_F(CourierTest, WaitsForACollectorThatIsAway) {
  bool away = true;
  far_.open = [&] { return away ? absl::UnavailableError("away") : absl::OkStatus(); };
  Start(Defaults());
  courier_->Put(Flows('a', 2));
  ASSERT_TRUE(Eventually([&] { return courier_->stats().failed_opens >= 3; }));
  courier_->Put(Flows('b'));
  Change([&](FarSide&) { away = false; });
  ASSERT_TRUE(Arrived(3));
  EXPECT_THAT(Lines(far_.all()), ElementsAre("T0", "a0", "b2"));
  EXPECT_EQ(Finish().lost_records, 0u);
}

TEST_F(CourierTest, DoesNotTryMoreOftenThanItMay) {
  far_.open = [] { return absl::UnavailableError("away"); };
  Courier::Options options = Defaults();
  options.reconnect_interval = std::chrono::hours(1);
  Start(std::move(options));
  ASSERT_TRUE(Eventually([&] { return courier_->stats().failed_opens == 1; }));
  for (int i = 0; i < 100; ++i) courier_->Put(Flows('a'));
  const DeliveryStats stats = Finish();
  EXPECT_EQ(stats.failed_opens, 1u);
  EXPECT_EQ(stats.lost_by_reason.at("shutdown"), 100u);
}

TEST_F(CourierTest, ABusyCollectorEndsWithTheTimeForIt) {
  far_.take = [](const FarSide::Octets& message) -> Transport::Result {
    std::this_thread::sleep_for(milliseconds(1));
    if (message[kHeader] == 'T') return {};
    return {.outcome = Outcome::kBusy};
  };
  Start(Defaults());
  courier_->Put(Flows('a', 4));
  const auto begin = Clock::now();
  const DeliveryStats stats = Finish(milliseconds(50));
  EXPECT_GE(Clock::now() - begin, milliseconds(50));
  EXPECT_EQ(stats.lost_by_reason.at("shutdown"), 4u);
}

TEST_F(CourierTest, TemplatesAgainWhereTheyMayBeForgotten) {
  far_.forgets = true;
  Courier::Options options = Defaults();
  options.template_refresh = milliseconds(10);
  Start(std::move(options));
  EXPECT_TRUE(Arrived(5)) << "without any record";
  for (const std::string& line : Lines(far_.all())) EXPECT_EQ(line, "T0");
}

TEST_F(CourierTest, TemplatesAgainAfterSoManyMessages) {
  far_.forgets = true;
  Courier::Options options = Defaults();
  options.template_refresh_messages = 2;
  options.burst_messages = 1;
  Start(std::move(options));
  for (char label : {'a', 'b', 'c'}) courier_->Put(Flows(label));
  Finish();
  EXPECT_THAT(Lines(far_.all()), ElementsAre("T0", "a0", "T1", "b1", "T2", "c2"));
}

TEST_F(CourierTest, DatagramsComeInBursts) {
  far_.forgets = true;
  Courier::Options options = Defaults();
  options.burst_messages = 4;
  Start(std::move(options));
  for (int i = 0; i < 41; ++i) courier_->Put(Flows('a'));
  const auto begin = Clock::now();
  Finish();
  // Ten gaps of a millisecond at least.
  EXPECT_GE(Clock::now() - begin, milliseconds(9));
  EXPECT_EQ(far_.all().size(), 42u);
}

TEST_F(CourierTest, AFileIsNotBegunForNothing) {
  far_.on_demand = true;
  Start(Defaults());
  Finish();
  EXPECT_EQ(far_.sessions.size(), 0u);
  Start(Defaults());
  courier_->Put(Flows('a'));
  Finish();
  EXPECT_THAT(Lines(far_.all()), ElementsAre("T0", "a0"));
}

TEST_F(CourierTest, AnOrderlyEndIsFollowedByANewSessionAtOnce) {
  far_.take = [this](const FarSide::Octets&) -> Transport::Result {
    if (far_.sessions.back().size() < 2) return {};
    return {.outcome = Outcome::kSessionOver};  // full
  };
  Courier::Options options = Defaults();
  options.reconnect_interval = std::chrono::hours(1);
  Start(std::move(options));
  for (char label : {'a', 'b', 'c'}) courier_->Put(Flows(label));
  Finish();
  EXPECT_THAT(Lines(far_.all()), ElementsAre("T0", "a0", "T0", "b0", "T0", "c0"));
}

TEST_F(CourierTest, TheSecondTakesOverAndTheFirstIsPreferred) {
  bool away = true;
  far_.open = [&] { return away ? absl::UnavailableError("away") : absl::OkStatus(); };
  Start(Defaults(), 2);
  courier_->Put(Flows('a', 2));
  ASSERT_TRUE(Eventually([&] { return second_.all().size() == 2; }));
  Change([&](FarSide&) { away = false; });
  ASSERT_TRUE(Arrived(1));
  courier_->Put(Flows('b'));
  Finish();
  EXPECT_THAT(Lines(second_.all()), ElementsAre("T0", "a0"));
  EXPECT_THAT(Lines(far_.all()), ElementsAre("T0", "b0"));
  EXPECT_EQ(second_.closes, 1);
}

TEST_F(CourierTest, StatisticsAreNoFlows) {
  bool away = true;
  far_.open = [&] { return away ? absl::UnavailableError("away") : absl::OkStatus(); };
  Courier::Options options = Defaults();
  options.reconnect_interval = std::chrono::hours(1);
  Start(std::move(options));
  courier_->Put({.message = MessageOf('s', 3), .kind = Cargo::Kind::kStatistics});
  const DeliveryStats stats = Finish(milliseconds(10));
  EXPECT_EQ(stats.lost_records, 0u);
}

}  // namespace
}  // namespace sockflow::delivery
