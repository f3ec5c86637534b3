// SPDX-License-Identifier: MIT
#include "agent/exporters.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/delivery/fake_transport.h"

namespace sockflow {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;

class ExportersTest : public ::testing::Test {
 protected:
  using Policy = CollectorGroup::Policy;
  static CollectorGroup GroupOf(const std::vector<std::string>& urls,
                                Policy policy = Policy::kReplicate) {
    CollectorGroup group{.policy = policy};
    for (const std::string& url : urls) {
      group.collectors.push_back({.endpoints = {{.url = url}}});
    }
    return group;
  }
  Exporters::Make Maker() {
    return [this](const Exporters::Facts& facts) -> absl::StatusOr<std::unique_ptr<Exporter>> {
      const std::string& url = facts.collector.endpoints.front().url;
      if (url == "bad") return absl::InvalidArgumentError("bad");
      made_.push_back(url);
      std::vector<std::unique_ptr<Transport>> transports;
      transports.push_back(std::make_unique<FakeTransport>(far_[url], url));
      auto courier = delivery::Courier::Start({}, std::move(transports));
      if (!courier.ok()) return courier.status();
      return std::make_unique<Exporter>(Exporter::Options{}, *std::move(courier));
    };
  }
  absl::Status Replace(const std::vector<CollectorGroup>& wanted,
                       const Config::Exporter& config = {}) {
    return exporters_.Replace(wanted, config, Maker(), seconds(10));
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    for (const Exporter* exporter : exporters_.list()) names.push_back(exporter->name());
    return names;
  }
  void Export() { exporters_.Export({SessionRecord::Kind::kStart, session_}, Exporter::Moment{}); }

  Session session_;
  std::vector<std::string> made_;
  std::map<std::string, FarSide> far_;
  Exporters exporters_;  // first to go: its threads use the others
};

TEST_F(ExportersTest, KeepsWhatIsUnchangedAndReplacesTheRest) {
  ASSERT_TRUE(Replace({GroupOf({"a", "b"})}).ok());
  EXPECT_THAT(made_, ElementsAre("a", "b"));
  Export();
  ASSERT_TRUE(Replace({GroupOf({"c", "b"})}).ok());
  EXPECT_THAT(made_, ElementsAre("a", "b", "c"));
  EXPECT_THAT(Names(), ElementsAre("c", "b"));
  Export();
  exporters_.Finish(seconds(10));
  // "a" got the record of its time, "c" that of its own, "b" both in one session.
  EXPECT_EQ(far_["a"].all().size(), 1u);
  EXPECT_EQ(far_["a"].closes, 1);
  EXPECT_EQ(far_["c"].all().size(), 1u);
  EXPECT_EQ(far_["b"].sessions.size(), 1u);
  EXPECT_EQ(exporters_.list()[1]->stats().records, 2u);
}

TEST_F(ExportersTest, OtherSettingsMakeAnotherExporter) {
  ASSERT_TRUE(Replace({GroupOf({"a"})}).ok());
  ASSERT_TRUE(Replace({GroupOf({"a"})}, {.chunk_size = 5}).ok());
  EXPECT_THAT(made_, ElementsAre("a", "a"));
  EXPECT_THAT(Names(), ElementsAre("a"));
}

TEST_F(ExportersTest, AnErrorChangesNothing) {
  ASSERT_TRUE(Replace({GroupOf({"a", "b"})}).ok());
  EXPECT_FALSE(Replace({GroupOf({"c", "bad", "b"})}).ok());
  EXPECT_THAT(Names(), ElementsAre("a", "b"));
  Export();
  exporters_.Finish(seconds(10));
  EXPECT_EQ(far_["a"].all().size(), 1u);
  EXPECT_EQ(far_["b"].all().size(), 1u);
}

TEST_F(ExportersTest, RetiredOnesGoWhenTheyHaveEnded) {
  ASSERT_TRUE(Replace({GroupOf({"a"})}).ok());
  ASSERT_TRUE(Replace({}).ok());
  const auto now = Exporter::Moment::clock::now();
  EXPECT_LT(exporters_.NextDeadline(now), Exporter::Moment::max());
  EXPECT_TRUE(Eventually([&] {
    exporters_.OnTime(now);
    return exporters_.NextDeadline(now) == Exporter::Moment::max();
  }));
}

TEST_F(ExportersTest, AHashGroupGivesStartAndEndOfASessionToOneOfIt) {
  ASSERT_TRUE(Replace({GroupOf({"all"}), GroupOf({"a", "b", "c"}, Policy::kHash)}).ok());
  for (uint16_t port = 1; port <= 300; ++port) {
    session_.local = {*IpAddress::Parse("192.0.2.1"), port};
    session_.remote = {*IpAddress::Parse("192.0.2.2"), 443};
    session_.direction = Direction::kActive;
    exporters_.Export({SessionRecord::Kind::kStart, session_}, Exporter::Moment{});
    // The agent at the other end tells of the same session.
    std::swap(session_.local, session_.remote);
    session_.direction = Direction::kPassive;
    exporters_.Export({SessionRecord::Kind::kEnd, session_}, Exporter::Moment{});
  }
  exporters_.Finish(seconds(10));
  std::map<std::string, uint64_t> records;
  for (const Exporter* exporter : exporters_.list()) {
    records[exporter->name()] = exporter->stats().records;
  }
  EXPECT_EQ(records["all"], 600u);
  EXPECT_EQ(records["a"] + records["b"] + records["c"], 600u);
  for (const char* name : {"a", "b", "c"}) {
    EXPECT_EQ(records[name] % 2, 0u) << name << ": start and end go together";
    EXPECT_NEAR(static_cast<double>(records[name]), 200, 60) << name;
  }
}

}  // namespace
}  // namespace sockflow
