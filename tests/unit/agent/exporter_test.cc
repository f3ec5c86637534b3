// SPDX-License-Identifier: MIT
#include "agent/exporter.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sockflow/ipfix/message_decoder.h"

namespace sockflow {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using Moment = Exporter::Moment;

// What was sent, decoded: the number of records of each message, "T" for one with templates.
struct Sent {
  std::vector<std::string> messages;
  std::vector<size_t> lengths;
  ipfix::MessageDecoder decoder{{}};
  absl::Status answer;
};

class FakeTransport : public Transport {
 public:
  FakeTransport(Sent* sent, bool forgets) : sent_(sent), forgets_(forgets) {}
  absl::Status Send(std::span<const uint8_t> message) override {
    if (!sent_->answer.ok()) return sent_->answer;
    const uint64_t templates = sent_->decoder.stats().templates;
    int records = 0;
    EXPECT_TRUE(sent_->decoder.Decode("x", message, [&](const ipfix::RecordView&) { ++records; }).ok());
    sent_->messages.push_back(sent_->decoder.stats().templates != templates ? "T"
                                                                            : std::to_string(records));
    sent_->lengths.push_back(message.size());
    return absl::OkStatus();
  }
  bool forgets_templates() const override { return forgets_; }
  const std::string& name() const override { return name_; }

 private:
  Sent* sent_;
  bool forgets_;
  std::string name_ = "fake";
};

class ExporterTest : public ::testing::Test {
 protected:
  std::unique_ptr<Exporter> Make(Exporter::Options options, bool forgets = true) {
    return std::make_unique<Exporter>(options, std::make_unique<FakeTransport>(&sent_, forgets));
  }
  void Export(Exporter& exporter, int count, Moment now) {
    session_.process = Process{.pid = 1, .name = TaskName("curl")};
    for (int i = 0; i < count; ++i) exporter.Export({SessionRecord::Kind::kStart, session_}, now);
  }
  std::vector<std::string> Drain() { return std::exchange(sent_.messages, {}); }

  Session session_;
  Sent sent_;
  const Moment begin_ = Moment(std::chrono::hours(1));
};

TEST_F(ExporterTest, TemplatesBeforeTheFirstRecord) {
  auto exporter = Make({});
  Export(*exporter, 1, begin_);
  exporter->Flush(begin_);
  const auto messages = Drain();
  ASSERT_GE(messages.size(), 2u);
  EXPECT_EQ(messages.front(), "T");
  EXPECT_EQ(messages.back(), "1");
  EXPECT_EQ(sent_.decoder.stats().unknown_template_sets, 0u);
}

TEST_F(ExporterTest, ARecordWaitsForTheIntervalAndNoLonger) {
  auto exporter = Make({.interval = seconds(5), .template_refresh = seconds(3600)});
  exporter->OnTime(begin_);
  Drain();
  Export(*exporter, 1, begin_ + seconds(10));
  EXPECT_EQ(exporter->NextDeadline(), begin_ + seconds(15));
  Export(*exporter, 1, begin_ + seconds(14));
  EXPECT_EQ(exporter->NextDeadline(), begin_ + seconds(15)) << "of the oldest record";
  exporter->OnTime(begin_ + seconds(15) - milliseconds(1));
  EXPECT_THAT(Drain(), ElementsAre());
  exporter->OnTime(begin_ + seconds(15));
  EXPECT_THAT(Drain(), ElementsAre("2"));
  EXPECT_EQ(exporter->NextDeadline(), begin_ + seconds(3600)) << "nothing waits";
}

TEST_F(ExporterTest, IntervalZeroSendsAtOnce) {
  auto exporter = Make({.interval = Duration::zero()});
  exporter->OnTime(begin_);
  Drain();
  Export(*exporter, 2, begin_);
  EXPECT_THAT(Drain(), ElementsAre("1", "1"));
}

TEST_F(ExporterTest, ChunkSizeBoundsRecordsAndAFullMessageLeaves) {
  auto exporter = Make({.encoder = {.max_records = 3}});
  exporter->OnTime(begin_);
  Drain();
  Export(*exporter, 7, begin_);
  EXPECT_THAT(Drain(), ElementsAre("3", "3"));
  exporter->Flush(begin_);
  EXPECT_THAT(Drain(), ElementsAre("1"));
}

TEST_F(ExporterTest, MessagesStayWithinTheirSize) {
  auto exporter = Make({.encoder = {.max_message_octets = 512}});
  Export(*exporter, 100, begin_);
  exporter->Flush(begin_);
  EXPECT_EQ(exporter->stats().records, 100u);
  for (size_t length : sent_.lengths) EXPECT_LE(length, 512u);
}

TEST_F(ExporterTest, TemplatesAgainInTimeOnUdpOnly) {
  auto udp = Make({.template_refresh = seconds(30)});
  udp->OnTime(begin_);
  const auto templates = Drain().size();
  EXPECT_EQ(udp->NextDeadline(), begin_ + seconds(30));
  udp->OnTime(begin_ + seconds(30));
  EXPECT_EQ(Drain().size(), templates);
  auto stream = Make({.template_refresh = seconds(30)}, /*forgets=*/false);
  stream->OnTime(begin_);
  EXPECT_EQ(stream->NextDeadline(), Moment::max());
}

TEST_F(ExporterTest, TemplatesAgainAfterSoManyMessages) {
  auto exporter = Make({.encoder = {.max_records = 1}, .template_refresh_packets = 4});
  exporter->OnTime(begin_);
  Drain();
  Export(*exporter, 6, begin_);
  EXPECT_THAT(Drain(), ::testing::Contains("T"));
}

TEST_F(ExporterTest, RefusedMessagesAreCountedAndTheNextGoes) {
  auto exporter = Make({.encoder = {.max_records = 2}});
  exporter->OnTime(begin_);
  sent_.answer = absl::UnavailableError("nobody there");
  Export(*exporter, 4, begin_);
  EXPECT_EQ(exporter->stats().lost_messages, 2u);
  EXPECT_EQ(exporter->stats().lost_records, 4u);
  sent_.answer = absl::OkStatus();
  Drain();
  Export(*exporter, 2, begin_);
  EXPECT_THAT(Drain(), ElementsAre("2"));
  // The far side sees how many it missed.
  EXPECT_EQ(sent_.decoder.stats().lost_records, 4u);
}

}  // namespace
}  // namespace sockflow
