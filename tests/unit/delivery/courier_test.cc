// SPDX-License-Identifier: MIT
#include "delivery/courier.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/delivery/fake_transport.h"
#include "tests/unit/temporary_directory.h"

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
  // Themselves they do not count: else they would come for ever.
  options.preamble = {MessageOf('T', 0), MessageOf('U', 0), MessageOf('V', 0)};
  Start(std::move(options));
  for (char label : {'a', 'b', 'c'}) courier_->Put(Flows(label));
  Finish();
  EXPECT_THAT(Lines(far_.all()),
              ElementsAre("T0", "U0", "V0", "a0", "b1", "T2", "U2", "V2", "c2"));
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

class SpoolingCourierTest : public CourierTest {
 protected:
  Courier::Options Spooling() {
    Courier::Options options = Defaults();
    options.queue_octets = 1000;
    options.spool = {.directory = directory_.path(), .max_octets = 1 << 20};
    return options;
  }
  void Away() {
    Change([](FarSide& far) { far.open = [] { return absl::UnavailableError("away"); }; });
  }
  void Back() {
    Change([](FarSide& far) { far.open = [] { return absl::OkStatus(); }; });
  }
  // So many messages a, b, c, ... of 100 octets; waits for each to be taken, as the pipeline would
  // take its time.
  void PutMany(int count) {
    for (int i = 0; i < count; ++i) {
      courier_->Put(Flows(static_cast<char>('a' + i), 2, 100));
      EXPECT_TRUE(Eventually([&] {
        const DeliveryStats stats = courier_->stats();
        return stats.queued_records * 50 <= 900;  // room for one more
      }));
    }
  }
  static std::string Labels(const std::vector<FarSide::Octets>& messages) {
    std::string labels;
    for (const auto& message : messages) labels += static_cast<char>(message[kHeader]);
    return labels;
  }

  TemporaryDirectory directory_;
};

TEST_F(SpoolingCourierTest, WhatMemoryHasNoRoomForWaitsOnDisk) {
  Away();
  Start(Spooling());
  PutMany(26);
  EXPECT_GT(courier_->stats().spooled_records, 0u);
  Back();
  EXPECT_TRUE(Arrived(27));
  EXPECT_EQ(Labels(far_.all()), "Tabcdefghijklmnopqrstuvwxyz") << "in their order";
  EXPECT_TRUE(Eventually([&] { return courier_->stats().spooled_records == 0; }));
  const DeliveryStats stats = Finish();
  EXPECT_EQ(stats.records, 52u);
  EXPECT_EQ(stats.lost_records, 0u);
}

TEST_F(SpoolingCourierTest, WhatTheDiskDoesNotTakeStaysBehindWhatIsThere) {
  constexpr size_t kOctets = 20000;
  Away();
  Courier::Options options = Spooling();
  options.queue_octets = 5 * kOctets;
  options.spool->max_octets = 256 << 10;
  Start(std::move(options));
  // Two in memory, thirteen on disk, two in memory.
  for (char label = 'a'; label <= 'q'; ++label) {
    EXPECT_TRUE(Eventually([&] { return courier_->stats().queued_records <= 4; }));
    courier_->Put(Flows(label, 1, kOctets));
  }
  EXPECT_TRUE(Eventually([&] { return courier_->stats().spooled_records == 13; }));
  Back();
  EXPECT_TRUE(Arrived(18));
  EXPECT_EQ(Labels(far_.all()), "Tabcdefghijklmnopq");
  EXPECT_EQ(Finish().lost_records, 0u);
}

TEST_F(SpoolingCourierTest, WhatWaitsSurvivesARestart) {
  Away();
  Start(Spooling());
  PutMany(26);
  const DeliveryStats before = Finish(milliseconds(0));
  EXPECT_EQ(before.lost_records, 0u);
  EXPECT_EQ(before.spooled_records, 52u);
  courier_.reset();

  Back();
  Start(Spooling());
  EXPECT_TRUE(Arrived(27));
  EXPECT_EQ(Labels(far_.all()), "Tabcdefghijklmnopqrstuvwxyz") << "in their order";
}

// Another configuration has other templates, and may use the same ids.
TEST_F(SpoolingCourierTest, WhatOtherTemplatesDescribeHasASessionOfItsOwn) {
  Away();
  Start(Spooling());
  courier_->Put(Flows('a'));
  Finish(milliseconds(0));
  courier_.reset();

  Back();
  Courier::Options options = Spooling();
  options.preamble = {MessageOf('U', 0)};
  Start(std::move(options));
  courier_->Put(Flows('b'));
  EXPECT_TRUE(Eventually([&] { return Labels(far_.all()).ends_with("Ub"); })) << Labels(far_.all());
  Finish();
  // Whether the new session begins before the spool was looked into does not matter.
  EXPECT_THAT(Labels(far_.all()), ::testing::AnyOf("TaUb", "UTaUb"));
}

TEST_F(SpoolingCourierTest, ADamagedSpoolGivesWhatIsWhole) {
  Away();
  Start(Spooling());
  for (const char label : {'a', 'b', 'c'}) courier_->Put(Flows(label, 2));
  Finish(milliseconds(0));
  courier_.reset();
  for (const std::string& name : directory_.Names()) {
    if (name == "lock") continue;
    std::vector<uint8_t> octets = ReadFile(directory_ / name);
    octets.resize(octets.size() - 3);
    WriteFile(directory_ / name, octets);
  }

  Back();
  Start(Spooling());
  EXPECT_TRUE(Arrived(3));
  const DeliveryStats stats = Finish();
  EXPECT_EQ(Labels(far_.all()), "Tab");
  EXPECT_EQ(stats.records, 4u);
  EXPECT_EQ(stats.lost_by_reason.at("spool_damaged"), 2u);
}

TEST_F(SpoolingCourierTest, WaitsForTheSpoolOfAnotherThatIsAboutToEnd) {
  Away();
  Start(Spooling());
  auto first = std::move(courier_);
  Start(Spooling());
  first->Put(Flows('a'));
  first->Finish(Clock::now());
  EXPECT_TRUE(Eventually([&] { return first->finished(); }));
  EXPECT_TRUE(Eventually([&] { return courier_->stats().spooled_records == 1; }));
}

TEST_F(SpoolingCourierTest, ADirectoryThatCannotBeUsedIsRefused) {
  Courier::Options options = Spooling();
  options.spool->directory = directory_ / "not/there";
  std::vector<std::unique_ptr<Transport>> transports;
  transports.push_back(std::make_unique<FakeTransport>(far_));
  const auto started = Courier::Start(std::move(options), std::move(transports));
  EXPECT_TRUE(absl::IsFailedPrecondition(started.status())) << started.status();
}

}  // namespace
}  // namespace sockflow::delivery
