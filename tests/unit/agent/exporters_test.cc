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
  static Exporters::Facts FactsOf(const std::string& url, uint32_t chunk_size = 0) {
    Exporters::Facts facts;
    facts.collector.url = url;
    facts.exporter.chunk_size = chunk_size;
    return facts;
  }
  Exporters::Make Maker() {
    return [this](const Exporters::Facts& facts) -> absl::StatusOr<std::unique_ptr<Exporter>> {
      if (facts.collector.url == "bad") return absl::InvalidArgumentError("bad");
      made_.push_back(facts.collector.url);
      std::vector<std::unique_ptr<Transport>> transports;
      transports.push_back(std::make_unique<FakeTransport>(far_[facts.collector.url],
                                                           facts.collector.url));
      auto courier = delivery::Courier::Start({}, std::move(transports));
      if (!courier.ok()) return courier.status();
      return std::make_unique<Exporter>(Exporter::Options{}, *std::move(courier));
    };
  }
  absl::Status Replace(const std::vector<Exporters::Facts>& wanted) {
    return exporters_.Replace(wanted, Maker(), seconds(10));
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
  ASSERT_TRUE(Replace({FactsOf("a"), FactsOf("b")}).ok());
  EXPECT_THAT(made_, ElementsAre("a", "b"));
  Export();
  ASSERT_TRUE(Replace({FactsOf("c"), FactsOf("b")}).ok());
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
  ASSERT_TRUE(Replace({FactsOf("a")}).ok());
  ASSERT_TRUE(Replace({FactsOf("a", 5)}).ok());
  EXPECT_THAT(made_, ElementsAre("a", "a"));
  EXPECT_THAT(Names(), ElementsAre("a"));
}

TEST_F(ExportersTest, AnErrorChangesNothing) {
  ASSERT_TRUE(Replace({FactsOf("a"), FactsOf("b")}).ok());
  EXPECT_FALSE(Replace({FactsOf("c"), FactsOf("bad"), FactsOf("b")}).ok());
  EXPECT_THAT(Names(), ElementsAre("a", "b"));
  Export();
  exporters_.Finish(seconds(10));
  EXPECT_EQ(far_["a"].all().size(), 1u);
  EXPECT_EQ(far_["b"].all().size(), 1u);
}

TEST_F(ExportersTest, RetiredOnesGoWhenTheyHaveEnded) {
  ASSERT_TRUE(Replace({FactsOf("a")}).ok());
  ASSERT_TRUE(Replace({}).ok());
  const auto now = Exporter::Moment::clock::now();
  EXPECT_LT(exporters_.NextDeadline(now), Exporter::Moment::max());
  EXPECT_TRUE(Eventually([&] {
    exporters_.OnTime(now);
    return exporters_.NextDeadline(now) == Exporter::Moment::max();
  }));
}

}  // namespace
}  // namespace sockflow
