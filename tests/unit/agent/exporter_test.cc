// SPDX-License-Identifier: MIT
#include "agent/exporter.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sockflow/ipfix/message_decoder.h"
#include "tests/unit/delivery/fake_transport.h"

namespace sockflow {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Le;
using Moment = Exporter::Moment;

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
  // What was handed over since the last time: the number of records of each message.
  std::vector<int> HandedOver() {
    std::vector<int> records;
    // All that was put has been sent when nothing waits any more.
    EXPECT_TRUE(Eventually([&] { return exporter_->stats().queued_records == 0; }));
    const auto messages = far_.all();
    for (; seen_ < messages.size(); ++seen_) {
      int count = 0;
      EXPECT_TRUE(decoder_.Decode("x", messages[seen_],
                                  [&](const ipfix::RecordView&) { ++count; }).ok());
      if (count > 0) records.push_back(count);
    }
    return records;
  }

  Session session_;
  FarSide far_;
  ipfix::MessageDecoder decoder_{{}};
  size_t seen_ = 0;
  std::unique_ptr<Exporter> exporter_;
  const Moment begin_ = Moment(std::chrono::hours(1));
};

TEST_F(ExporterTest, TemplatesBeforeTheFirstRecord) {
  Make({});
  Export(1, begin_);
  exporter_->Finish(Moment::clock::now() + seconds(10));
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
  exporter_->OnTime(begin_ + seconds(15) - milliseconds(1));
  EXPECT_THAT(HandedOver(), ElementsAre());
  exporter_->OnTime(begin_ + seconds(15));
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
  exporter_->Finish(Moment::clock::now() + seconds(10));
  EXPECT_THAT(HandedOver(), ElementsAre(1));
}

TEST_F(ExporterTest, MessagesStayWithinTheirSize) {
  Make({.encoder = {.max_message_octets = 512}});
  Export(100, begin_);
  exporter_->Finish(Moment::clock::now() + seconds(10));
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
  exporter_->Finish(Moment::clock::now() + seconds(10));
  HandedOver();
  const delivery::DeliveryStats stats = exporter_->stats();
  EXPECT_EQ(stats.lost_records, 3u);
  EXPECT_EQ(stats.lost_flow_packets, 20u) << "a start has not carried anything";
  EXPECT_EQ(stats.lost_flow_octets, 2u * (1000 + 10 * (20 + 32)));
  EXPECT_EQ(stats.lost_by_reason.at("refused"), 3u);
}

}  // namespace
}  // namespace sockflow
