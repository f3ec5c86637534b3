// SPDX-License-Identifier: MIT
#include "sockflow/ipfix/message_decoder.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sockflow/ipfix/value.h"
#include "tests/unit/ipfix/wire_builder.h"

namespace sockflow::ipfix {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class MessageDecoderTest : public ::testing::Test {
 protected:
  // Each record as its values in hexadecimal, "c001|04".
  std::vector<std::string> Decode(const Bytes& message, std::string_view session = "a") {
    std::vector<std::string> records;
    status_ = decoder_.Decode(session, message, [&records](const RecordView& view) {
      std::string record;
      for (size_t i = 0; i < view.values.size(); ++i) {
        if (i > 0) record += '|';
        AppendValue(nullptr, view.values[i], record);
      }
      records.push_back(record);
    });
    return records;
  }
  const MessageDecoder::Stats& stats() const { return decoder_.stats(); }

  explicit MessageDecoderTest(MessageDecoder::Options options = {}) : decoder_(options) {}

  MessageDecoder decoder_;
  absl::Status status_;
};

class ReliableMessageDecoderTest : public MessageDecoderTest {
 protected:
  ReliableMessageDecoderTest() : MessageDecoderTest({.reliable_transport = true}) {}
};

TEST_F(MessageDecoderTest, DescribesTheRecordsItDelivers) {
  Decode(MakeMessage({kPortTemplate}));
  bool delivered = false;
  ASSERT_TRUE(decoder_
                  .Decode("a", MakeMessage({"0100 01bb"}, 5),
                          [&delivered](const RecordView& view) {
                            delivered = true;
                            EXPECT_EQ(view.header.sequence, 5u);
                            EXPECT_EQ(view.header.observation_domain, 7u);
                            EXPECT_EQ(view.header.export_time, Time(std::chrono::seconds(1)));
                            EXPECT_EQ(view.description.id, 256);
                            EXPECT_EQ(view.description.scope_fields, 0);
                            ASSERT_EQ(view.description.fields.size(), 1u);
                            EXPECT_EQ(view.description.fields[0].element,
                                      FindElement("sourceTransportPort"));
                          })
                  .ok());
  EXPECT_TRUE(delivered);
}

TEST_F(MessageDecoderTest, TemplateAndDataInOneMessage) {
  EXPECT_THAT(Decode(MakeMessage({kPortTemplate, "0100 0050 01bb"})), ElementsAre("0050", "01bb"));
  EXPECT_EQ(stats().messages, 1u);
  EXPECT_EQ(stats().records, 2u);
  EXPECT_EQ(stats().templates, 1u);
}

TEST_F(MessageDecoderTest, BothFormsOfVariableLength) {
  EXPECT_THAT(Decode(MakeMessage({kStringTemplate, "0101 02 6162 04 ff 0003 636465 06 00 04"})),
              ElementsAre("6162|04", "636465|06", "|04"));
}

TEST_F(MessageDecoderTest, PaddingIsNoRecord) {
  EXPECT_THAT(Decode(MakeMessage({kPortTemplate, "0100 0050 00"})), ElementsAre("0050"));
  EXPECT_THAT(Decode(MakeMessage({"0002 0102 0001 0008 0004 000000", "0102 c0000201 000000"})),
              ElementsAre("c0000201"));
  EXPECT_THAT(Decode(MakeMessage({"0002 0103 0001 0007 0002 00000000 00000000", "0103 0050"})),
              ElementsAre("0050"));
  EXPECT_TRUE(status_.ok()) << status_;
}

TEST_F(MessageDecoderTest, OptionsTemplatesTellTheirScope) {
  Bytes message = MakeMessage({"0003 0102 0002 0001 0095 0004 0029 0008",
                           "0102 00000007 0000000000000003"});
  uint16_t scope_fields = 0;
  EXPECT_TRUE(decoder_
                  .Decode("a", message,
                          [&](const RecordView& view) {
                            scope_fields = view.description.scope_fields;
                          })
                  .ok());
  EXPECT_EQ(scope_fields, 1);
  EXPECT_THAT(Decode(message), ElementsAre("00000007|0000000000000003"));
}

TEST_F(MessageDecoderTest, UnknownElementsKeepTheirNumbers) {
  const Bytes message =
      MakeMessage({"0002 0100 0002 9234 0002 00000fa0 fffe 0001 0000ffff", "0100 abcd 01"});
  int delivered = 0;
  EXPECT_TRUE(decoder_
                  .Decode("a", message,
                          [&delivered](const RecordView& view) {
                            ++delivered;
                            const auto& fields = view.description.fields;
                            EXPECT_EQ(fields[0].element, nullptr);
                            EXPECT_EQ(fields[0].pen, 4000u);
                            EXPECT_EQ(fields[0].id, 0x1234);
                            EXPECT_EQ(fields[1].pen, 65535u);
                            EXPECT_EQ(fields[1].id, 0x7ffe);
                          })
                  .ok());
  EXPECT_EQ(delivered, 1);
}

TEST_F(MessageDecoderTest, FieldsOfNoOctetsAndRecordsOfVariableLengthOnly) {
  EXPECT_THAT(Decode(MakeMessage({"0002 0100 0002 00d2 0000 0007 0002", "0100 0050"})),
              ElementsAre("|0050"));
  // Two strings: the shortest record has two octets, so one octet is padding.
  EXPECT_THAT(Decode(MakeMessage({"0002 0101 0002 0060 ffff 0060 ffff", "0101 0000 0161 00 00"})),
              ElementsAre("|", "61|"));
  EXPECT_THAT(Decode(MakeMessage({"0002 0102 0001 00d2 0000", "0102 00000000"})), IsEmpty());
  EXPECT_EQ(stats().bad_template, 1u) << "records of no octets";
}

TEST_F(MessageDecoderTest, TemplatesBelongToOneSessionAndDomain) {
  Decode(MakeMessage({kPortTemplate}), "a");
  EXPECT_THAT(Decode(MakeMessage({"0100 0050"}), "b"), IsEmpty());
  EXPECT_EQ(stats().unknown_template_sets, 1u);
  EXPECT_EQ(stats().unknown_template_octets, 2u);
  Bytes other_domain = MakeMessage({"0100 0050"});
  other_domain[15] = 8;
  EXPECT_THAT(Decode(other_domain, "a"), IsEmpty());
  EXPECT_TRUE(status_.ok());
  EXPECT_THAT(Decode(MakeMessage({"0100 0050"}), "a"), ElementsAre("0050"));
}

TEST_F(MessageDecoderTest, RedefinitionHoldsFromItsPlaceOn) {
  EXPECT_THAT(Decode(MakeMessage({kPortTemplate, "0100 0050 0051", "0002 0100 0001 003c 0001",
                              "0100 04 06"})),
              ElementsAre("0050", "0051", "04", "06"));
  EXPECT_THAT(Decode(MakeMessage({"0100 04"}, 4)), ElementsAre("04"));
  EXPECT_EQ(stats().redefined_templates, 1u);
  Decode(MakeMessage({"0002 0100 0001 003c 0001"}, 5));
  EXPECT_EQ(stats().redefined_templates, 1u) << "the same sent again";
}

// RFC 7011 8.4: over UDP withdrawals must be ignored.
TEST_F(MessageDecoderTest, WithdrawalsOverUdpAreIgnored) {
  Decode(MakeMessage({kPortTemplate}));
  EXPECT_THAT(Decode(MakeMessage({"0002 0100 0000", "0002 0002 0000", "0100 0050"})),
              ElementsAre("0050"));
}

TEST_F(ReliableMessageDecoderTest, WithdrawalHoldsFromItsPlaceOn) {
  Decode(MakeMessage({kPortTemplate}));
  EXPECT_THAT(Decode(MakeMessage({"0100 0050", "0002 0100 0000", "0100 0051"})), ElementsAre("0050"));
  EXPECT_EQ(stats().unknown_template_sets, 1u);
  EXPECT_THAT(Decode(MakeMessage({"0100 0050"})), IsEmpty());
  EXPECT_THAT(Decode(MakeMessage({kPortTemplate, "0100 0050"})), ElementsAre("0050"));
  Decode(MakeMessage({"0002 0999 0000"}));
  EXPECT_TRUE(status_.ok()) << "of a template that is not known: ignored (RFC 7011 8.1)";
}

TEST_F(ReliableMessageDecoderTest, AllTemplatesOfOneKindAreWithdrawn) {
  constexpr std::string_view kOptions = "0003 0102 0001 0001 0095 0004";
  Decode(MakeMessage({kPortTemplate, kStringTemplate, kOptions}));
  EXPECT_THAT(Decode(MakeMessage({"0002 0002 0000", "0100 0050", "0102 00000001"})),
              ElementsAre("00000001"));
  EXPECT_THAT(Decode(MakeMessage({"0100 0050", "0101 00 04", "0102 00000001"})),
              ElementsAre("00000001"));
  Decode(MakeMessage({"0003 0003 0000"}));
  EXPECT_THAT(Decode(MakeMessage({"0102 00000001"})), IsEmpty());
  // The order within a message counts.
  EXPECT_THAT(Decode(MakeMessage({kPortTemplate, "0002 0002 0000", "0100 0050"})), IsEmpty());
  EXPECT_THAT(Decode(MakeMessage({"0002 0002 0000", kPortTemplate, "0100 0050"})),
              ElementsAre("0050"));
  EXPECT_THAT(Decode(MakeMessage({"0100 0051"})), ElementsAre("0051"));
}

TEST_F(ReliableMessageDecoderTest, TheEndOfASessionEndsItsTemplates) {
  Decode(MakeMessage({kPortTemplate}), "a");
  Decode(MakeMessage({kPortTemplate}), "b");
  decoder_.EndSession("a");
  EXPECT_THAT(Decode(MakeMessage({"0100 0050"}), "a"), IsEmpty());
  EXPECT_THAT(Decode(MakeMessage({"0100 0050"}), "b"), ElementsAre("0050"));
}

TEST_F(MessageDecoderTest, ReservedSetsAreSkipped) {
  EXPECT_THAT(Decode(MakeMessage({kPortTemplate, "00ff 1234", "0000", "0100 0050"})),
              ElementsAre("0050"));
  EXPECT_EQ(stats().reserved_sets, 2u);
}

TEST(MessageDecoderLimitTest, FieldsOfATemplate) {
  MessageDecoder decoder({.max_fields_per_template = 1});
  EXPECT_FALSE(decoder.Decode("a", MakeMessage({kStringTemplate}), [](const RecordView&) {}).ok());
  EXPECT_EQ(decoder.stats().over_limit, 1u);
  EXPECT_TRUE(decoder.Decode("a", MakeMessage({kPortTemplate}), [](const RecordView&) {}).ok());
}

TEST(MessageDecoderLimitTest, TemplatesOfASession) {
  MessageDecoder decoder({.max_templates_per_session = 1});
  const auto ignore = [](const RecordView&) {};
  EXPECT_TRUE(decoder.Decode("a", MakeMessage({kPortTemplate}), ignore).ok());
  EXPECT_FALSE(decoder.Decode("a", MakeMessage({kStringTemplate}), ignore).ok());
  EXPECT_TRUE(decoder.Decode("a", MakeMessage({kPortTemplate}), ignore).ok()) << "sent again";
  EXPECT_FALSE(
      decoder.Decode("b", MakeMessage({kPortTemplate, kStringTemplate}), ignore).ok());
  EXPECT_EQ(decoder.stats().over_limit, 2u);
}

TEST(MessageDecoderLimitTest, TheSessionIdleForLongestMakesRoom) {
  MessageDecoder decoder({.max_sessions = 2});
  const auto ignore = [](const RecordView&) {};
  const Bytes data = MakeMessage({"0100 0050"});
  for (const char* session : {"a", "b"}) {
    ASSERT_TRUE(decoder.Decode(session, MakeMessage({kPortTemplate}), ignore).ok());
  }
  ASSERT_TRUE(decoder.Decode("a", data, ignore).ok());
  ASSERT_TRUE(decoder.Decode("c", MakeMessage({kPortTemplate}), ignore).ok());
  EXPECT_EQ(decoder.stats().evicted_sessions, 1u);
  ASSERT_TRUE(decoder.Decode("a", data, ignore).ok());
  ASSERT_TRUE(decoder.Decode("c", data, ignore).ok());
  EXPECT_EQ(decoder.stats().unknown_template_sets, 0u);
  ASSERT_TRUE(decoder.Decode("b", data, ignore).ok());
  EXPECT_EQ(decoder.stats().unknown_template_sets, 1u);
}

TEST(MessageDecoderLimitTest, FieldsOfAllSessionsTogether) {
  MessageDecoder decoder({.max_fields = 3});
  const auto ignore = [](const RecordView&) {};
  ASSERT_TRUE(decoder.Decode("a", MakeMessage({kStringTemplate}), ignore).ok());
  ASSERT_TRUE(decoder.Decode("b", MakeMessage({kPortTemplate}), ignore).ok());
  EXPECT_EQ(decoder.stats().evicted_sessions, 0u);
  ASSERT_TRUE(decoder.Decode("c", MakeMessage({kPortTemplate}), ignore).ok());
  EXPECT_EQ(decoder.stats().evicted_sessions, 1u);
  EXPECT_FALSE(decoder.Decode("c", MakeMessage({kStringTemplate, "0002 0103 0001 0007 0002"}), ignore)
                   .ok());
  EXPECT_EQ(decoder.stats().over_limit, 1u);
  ASSERT_TRUE(decoder.Decode("b", MakeMessage({"0100 0050"}), ignore).ok());
  EXPECT_EQ(decoder.stats().records, 1u) << "an over-long message evicts nobody";
}

class SequenceTest : public MessageDecoderTest {
 protected:
  // A message of three records.
  void Receive(uint32_t sequence, std::string_view session = "a") {
    Decode(MakeMessage({kPortTemplate, "0100 0050 0051 0052"}, sequence), session);
    ASSERT_TRUE(status_.ok());
  }
};

TEST_F(SequenceTest, NoLossNoCount) {
  Receive(1000);
  Receive(1003);
  Receive(5, "b");
  Receive(1006);
  Decode(MakeMessage({kPortTemplate}, 1009));
  Receive(1009);
  EXPECT_EQ(stats().lost_records, 0u);
}

TEST_F(SequenceTest, GapsAreCountedPerSessionEvenAcrossTheWrap) {
  Receive(0xfffffffd);
  Receive(0);
  EXPECT_EQ(stats().lost_records, 0u);
  Receive(10);
  EXPECT_EQ(stats().lost_records, 7u);
  Receive(0xfffffff0, "b");
  Receive(6, "b");
  EXPECT_EQ(stats().lost_records, 7u + 19u);
}

TEST_F(SequenceTest, WhatComesLateIsNotCountedTwice) {
  Receive(0);
  Receive(6);
  EXPECT_EQ(stats().lost_records, 3u);
  Receive(3);
  EXPECT_EQ(stats().late_records, 3u);
  Receive(9);
  EXPECT_EQ(stats().lost_records, 3u);
}

TEST_F(SequenceTest, ARestartedOrRepeatingSenderLosesNothing) {
  Receive(5000);
  Receive(0);
  Receive(3);
  Receive(3);
  Receive(6);
  EXPECT_EQ(stats().lost_records, 0u);
  Receive(3'000'000'000);
  Receive(3'000'000'003);
  EXPECT_EQ(stats().lost_records, 0u) << "no loss is that large";
  Receive(0);
  EXPECT_EQ(stats().lost_records, 0u);
}

TEST_F(SequenceTest, SetsOfUnknownSizeMakeTheNextNumberUnknown) {
  Receive(0);
  Decode(MakeMessage({"0999 0050 0051"}, 3));
  Receive(5);
  EXPECT_EQ(stats().lost_records, 0u);
  Receive(9);
  EXPECT_EQ(stats().lost_records, 1u);
}

}  // namespace
}  // namespace sockflow::ipfix
