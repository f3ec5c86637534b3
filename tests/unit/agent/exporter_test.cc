// SPDX-License-Identifier: MIT
#include "agent/exporter.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sockflow/ipfix/message_decoder.h"
#include "sockflow/ipfix/value.h"
#include "tests/unit/delivery/fake_transport.h"

namespace sockflow {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Le;
using Moment = Exporter::Moment;

constexpr auto kNothingLost = [] { return ipfix::MeteringStatistics(); };

class ExporterTest : public ::testing::Test {
 protected:
  void Make(const Exporter::Options& options) {
    std::vector<std::unique_ptr<Transport>> transports;
    transports.push_back(std::make_unique<FakeTransport>(far_));
    auto courier = delivery::Courier::Start({.preamble = Exporter::PreambleOf(options)},
                                            std::move(transports));
    ASSERT_TRUE(courier.ok()) << courier.status();
    exporter_ = std::make_unique<Exporter>(options, *std::move(courier));
  }
  void Export(int count, Moment now, SessionRecord::Kind kind = SessionRecord::Kind::kStart) {
    session_.process = Process{.pid = 1, .name = TaskName("curl")};
    for (int i = 0; i < count; ++i) exporter_->Export({kind, session_}, now);
  }
  void Finish() {
    exporter_->Finish(Moment::clock::now() + seconds(10), kNothingLost);
    EXPECT_TRUE(Eventually([this] { return exporter_->finished(); }));
  }
  // The value that the element had in the options records of late.
  std::string Value(std::string_view element) {
    HandedOver();
    return values_[std::string(element)];
  }
  // What was handed over since the last time: the number of records of each message.
  std::vector<int> HandedOver() {
    std::vector<int> records;
    // All that was put has been sent when nothing waits any more.
    EXPECT_TRUE(Eventually([&] { return exporter_->stats().queued_records == 0; }));
    const auto messages = far_.all();
    for (; seen_ < messages.size(); ++seen_) {
      int count = 0;
      EXPECT_TRUE(decoder_.Decode("x", messages[seen_],
                                  [&](const ipfix::RecordView& record) {
                                    if (record.description.scope_fields == 0) ++count;
                                    Remember(record);
                                  }).ok());
      if (count > 0) records.push_back(count);
    }
    return records;
  }

  void Remember(const ipfix::RecordView& record) {
    for (size_t i = 0; i < record.values.size(); ++i) {
      const ipfix::Element* element = record.description.fields[i].element;
      std::string& value = values_[std::string(element->name)];
      value.clear();
      ipfix::AppendValue(element, record.values[i], value);
    }
  }

  Session session_;
  std::map<std::string, std::string> values_;
  FarSide far_;
  ipfix::MessageDecoder decoder_{{}};
  size_t seen_ = 0;
  std::unique_ptr<Exporter> exporter_;
  const Moment begin_ = Moment(std::chrono::hours(1));
};

TEST_F(ExporterTest, TemplatesBeforeTheFirstRecord) {
  Make({});
  Export(1, begin_);
  Finish();
  EXPECT_THAT(HandedOver(), ElementsAre(1));
  EXPECT_GE(decoder_.stats().templates, 8u);
  EXPECT_EQ(decoder_.stats().unknown_template_sets, 0u);
}

TEST_F(ExporterTest, ARecordWaitsForTheIntervalAndNoLonger) {
  Make({.interval = seconds(5)});
  EXPECT_EQ(exporter_->NextDeadline(), Moment::max()) << "nothing waits";
  Export(1, begin_ + seconds(10));
  EXPECT_EQ(exporter_->NextDeadline(), begin_ + seconds(15));
  Export(1, begin_ + seconds(14));
  EXPECT_EQ(exporter_->NextDeadline(), begin_ + seconds(15)) << "of the oldest record";
  exporter_->OnTime(begin_ + seconds(15) - milliseconds(1), kNothingLost);
  EXPECT_THAT(HandedOver(), ElementsAre());
  exporter_->OnTime(begin_ + seconds(15), kNothingLost);
  EXPECT_THAT(HandedOver(), ElementsAre(2));
  EXPECT_EQ(exporter_->NextDeadline(), Moment::max());
}

TEST_F(ExporterTest, IntervalZeroSendsAtOnce) {
  Make({.interval = Duration::zero()});
  Export(2, begin_);
  EXPECT_THAT(HandedOver(), ElementsAre(1, 1));
}

TEST_F(ExporterTest, ChunkSizeBoundsRecordsAndAFullMessageLeaves) {
  Make({.encoder = {.max_records = 3}});
  Export(7, begin_);
  EXPECT_THAT(HandedOver(), ElementsAre(3, 3));
  Finish();
  EXPECT_THAT(HandedOver(), ElementsAre(1));
}

TEST_F(ExporterTest, MessagesStayWithinTheirSize) {
  Make({.encoder = {.max_message_octets = 512}});
  Export(100, begin_);
  Finish();
  HandedOver();
  EXPECT_EQ(exporter_->stats().records, 100u);
  std::vector<size_t> lengths;
  for (const auto& message : far_.all()) lengths.push_back(message.size());
  EXPECT_THAT(lengths, Each(Le(512u)));
}

TEST_F(ExporterTest, LostFlowsAreCountedWithWhatTheyCarried) {
  far_.take = [](const FarSide::Octets& message) -> Transport::Result {
    if (message[16 + 1] == 2) return {};  // a template set
    return {.outcome = Transport::Outcome::kMessageLost,
            .status = absl::FailedPreconditionError("nobody there")};
  };
  session_.tcp = {.octets_sent = 1000, .packets_sent = 10, .tcp_header_octets = 32};
  session_.local.address = session_.remote.address = *IpAddress::Parse("192.0.2.1");
  Make({});
  Export(1, begin_);
  Export(2, begin_, SessionRecord::Kind::kEnd);
  Finish();
  HandedOver();
  const delivery::DeliveryStats stats = exporter_->stats();
  EXPECT_EQ(stats.lost_records, 3u);
  EXPECT_EQ(stats.lost_flow_packets, 20u) << "a start has not carried anything";
  EXPECT_EQ(stats.lost_flow_octets, 2u * (1000 + 10 * (20 + 32)));
  EXPECT_EQ(stats.lost_by_reason.at("refused"), 3u);
}

// A reader of that profile keeps no templates, and knows no IPv6.
TEST_F(ExporterTest, ProfileSsflowHasItsTemplateInEveryMessage) {
  Make({.layout = ipfix::Layout::OfProfile(ipfix::Profile::kSsflow),
        .encoder = {.max_message_octets = 512},
        .statistics_interval = seconds(1)});
  session_.local.address = session_.remote.address = *IpAddress::Parse("192.0.2.1");
  Export(40, begin_);
  Finish();
  session_.local.address = session_.remote.address = *IpAddress::Parse("2001:db8::1");
  Export(2, begin_);
  ASSERT_GE(far_.all().size(), 3u);
  for (const auto& message : far_.all()) {
    ASSERT_GT(message.size(), 60u);
    EXPECT_EQ(message[17], 2) << "the template set first";
    EXPECT_EQ(message[56], 1) << "then data of template 256";
  }
  EXPECT_EQ(exporter_->stats().records, 40u);
  EXPECT_EQ(exporter_->stats().lost_records, 2u);
  EXPECT_EQ(exporter_->stats().lost_by_reason.at("not_in_profile"), 2u);
}

TEST_F(ExporterTest, OnlyTheRecordsThatWereChosen) {
  Make({.records = {.start = false, .update = false, .end = true}});
  Export(2, begin_);
  Export(3, begin_, SessionRecord::Kind::kEnd);
  Finish();
  EXPECT_THAT(HandedOver(), ElementsAre(3));
  EXPECT_EQ(exporter_->stats().lost_records, 0u) << "what nobody wants is not lost";
}

TEST_F(ExporterTest, AnEndCountsWhatNoUpdateHasTold) {
  session_.tcp = {.octets_sent = 1000, .packets_sent = 10};
  session_.reported = {.octets_sent = 900, .packets_sent = 8};
  session_.before = {.octets_sent = 100, .packets_sent = 1};
  const auto octets_told = [&](const Exporter::Options& options, std::vector<int> records) {
    Make(options);
    Export(1, begin_, SessionRecord::Kind::kUpdate);
    Export(1, begin_, SessionRecord::Kind::kEnd);
    Finish();
    EXPECT_EQ(HandedOver(), records);
    EXPECT_EQ(exporter_->stats().lost_records, 0u) << "what nobody wants is not lost";
    return values_["initiatorOctets"];
  };
  EXPECT_EQ(octets_told({}, {2}), "100");
  EXPECT_EQ(octets_told({.records = {.update = false}}, {1}), "900") << "since it was found";
  // An update could not be told from an end.
  const std::vector<std::string> names = {"flowId", "initiatorOctets"};
  EXPECT_EQ(octets_told({.layout = *ipfix::Layout::OfFields(names)}, {1}), "900");
}

TEST_F(ExporterTest, LostUpdatesAndEndsAddUp) {
  far_.take = [](const FarSide::Octets& message) -> Transport::Result {
    if (message[16 + 1] == 2) return {};  // a template set
    return {.outcome = Transport::Outcome::kMessageLost,
            .status = absl::FailedPreconditionError("nobody there")};
  };
  session_.tcp = {.octets_sent = 1000, .packets_sent = 10};
  session_.local.address = session_.remote.address = *IpAddress::Parse("192.0.2.1");
  Make({});
  Export(1, begin_, SessionRecord::Kind::kUpdate);
  session_.reported = session_.tcp;
  session_.tcp.octets_sent = 1500;
  Export(1, begin_, SessionRecord::Kind::kEnd);
  Finish();
  HandedOver();
  EXPECT_EQ(exporter_->stats().lost_flow_packets, 10u);
  EXPECT_EQ(exporter_->stats().lost_flow_octets, 1500u + 10 * 40);
}

TEST_F(ExporterTest, StatisticsAtTheirInterval) {
  Make({.identity = {.observation_domain = 7, .process_id = 99},
        .statistics_interval = seconds(60)});
  Export(2, begin_);
  const ipfix::MeteringLoss lost[] = {{"ring_buffer_full_start", 3}};
  const auto metering = [&] { return ipfix::MeteringStatistics{.losses = lost}; };
  EXPECT_LT(exporter_->NextDeadline(), Moment::clock::now() + seconds(61));
  EXPECT_TRUE(Eventually([&] { return exporter_->stats().sessions == 1; }));
  const Moment due = Moment::clock::now() + seconds(60);
  exporter_->OnTime(due, metering);
  EXPECT_EQ(exporter_->NextDeadline(), due + seconds(60));
  EXPECT_TRUE(Eventually([&] { return Value("exportingProcessId") == "99"; }));
  EXPECT_TRUE(Eventually([&] { return Value("meteringProcessId") == "99"; }));
  EXPECT_EQ(Value("ignoredPacketTotalCount"), "3");
  // What came before these, not what leaves with them.
  exporter_->OnTime(due + seconds(60), metering);
  EXPECT_TRUE(Eventually([&] { return Value("exportedFlowRecordTotalCount") == "2"; }));
  // The last ones come after all else.
  Export(3, begin_);
  Finish();
  EXPECT_EQ(Value("exportedFlowRecordTotalCount"), "5");
}

}  // namespace
}  // namespace sockflow
