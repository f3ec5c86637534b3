// SPDX-License-Identifier: MIT
#include "sockflow/ipfix/message_encoder.h"

#include <array>
#include <chrono>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipfix/typed_template.h"
#include "sockflow/ipfix/layout.h"
#include "sockflow/ipfix/message_decoder.h"
#include "tests/unit/ipfix/wire_builder.h"

namespace sockflow::ipfix {
namespace {

using ::testing::ElementsAreArray;
using Kind = SessionRecord::Kind;

const Time kExportTime{std::chrono::milliseconds(1795253213999)};

// The templates of profiles live as long as the program.
const SessionTemplate& TemplateFor(Profile profile, const SessionRecord& record) {
  return *Layout::OfProfile(profile).For(record);
}

Bytes Finish(MessageEncoder& encoder) {
  const auto message = encoder.Finish(kExportTime);
  return Bytes(message.begin(), message.end());
}
size_t Load16At(const Bytes& message, size_t at) {
  return size_t{message[at]} << 8 | message[at + 1];
}
uint32_t SequenceOf(const Bytes& message) {
  return static_cast<uint32_t>(Load16At(message, 8) << 16 | Load16At(message, 10));
}

TEST(MessageEncoderTest, TemplateMessageIsWhatTheRfcSays) {
  MessageEncoder encoder({.observation_domain = 0x01020304, .first_sequence = 9});
  ASSERT_TRUE(encoder.AddTemplate(Layout::OfProfile(Profile::kIanaOnly).templates()[0]));
  EXPECT_THAT(Finish(encoder), ElementsAreArray(Hex(R"(
    000a 0054 6b0163dd 00000009 01020304
    0002 0044
    0191 000f
    0094 0008  00e9 0001  00ef 0001  003d 0001  0004 0001  0006 0001
    0007 0002  000b 0002  0098 0008  0099 0008
    003c 0001  0008 0004  000c 0004
    0060 ffff  0173 ffff)")));
  EXPECT_EQ(encoder.sequence(), 9u) << "templates are not data records";
}

TEST(MessageEncoderTest, DataMessageIsWhatTheRfcSays) {
  MessageEncoder encoder({.observation_domain = 7});
  const Session session = ExampleSession();
  const SessionRecord record{Kind::kStart, session};
  ASSERT_TRUE(encoder.Add(TemplateFor(Profile::kIanaOnly, record), record));
  EXPECT_THAT(Finish(encoder), ElementsAreArray(Hex(R"(
    000a 004c 6b0163dd 00000000 00000007
    0191 003c
    0102030405060708 01 01 01 06 12
    9c40 01bb
    000001a1fd6e13db 000001a1fd6e13db
    04 c0000201 c6336407
    04 6375726c
    05 616c696365
    000000)")));
}

TEST(MessageEncoderTest, EnterpriseElementsCarryTheirNumber) {
  MessageEncoder encoder({});
  ASSERT_TRUE(encoder.AddTemplate(Layout::OfProfile(Profile::kProcess).templates()[0]));
  const Bytes message = Finish(encoder);
  // SRC_PROC_PID, four octets, PEN 35632, after the 15 fields of the common part.
  const Bytes field = Hex("80a8 0004 00008b30");
  EXPECT_THAT(Bytes(message.begin() + 24 + 60, message.begin() + 24 + 68),
              ElementsAreArray(field));
}

TEST(MessageEncoderTest, NothingAddedIsNoMessage) {
  MessageEncoder encoder({});
  EXPECT_TRUE(encoder.empty());
  EXPECT_TRUE(encoder.Finish(kExportTime).empty());
  ASSERT_TRUE(encoder.AddTemplate(Layout::OfProfile(Profile::kIanaOnly).templates()[0]));
  EXPECT_FALSE(encoder.empty());
  EXPECT_FALSE(encoder.Finish(kExportTime).empty());
  EXPECT_TRUE(encoder.empty());
  EXPECT_TRUE(encoder.Finish(kExportTime).empty());
}

TEST(MessageEncoderTest, ConsecutiveRecordsOfOneTemplateShareASet) {
  MessageEncoder encoder({});
  const Session session = ExampleSession();
  const SessionRecord start{Kind::kStart, session};
  const SessionRecord end{Kind::kEnd, session};
  for (const SessionRecord& record : {start, start, end, start}) {
    ASSERT_TRUE(encoder.Add(TemplateFor(Profile::kIanaOnly, record), record));
  }
  ASSERT_TRUE(encoder.AddTemplate(Layout::OfProfile(Profile::kIanaOnly).templates()[0]));
  EXPECT_EQ(encoder.records(), 4u);
  const Bytes message = Finish(encoder);
  std::vector<size_t> set_ids;
  for (size_t at = 16; at < message.size(); at += Load16At(message, at + 2)) {
    set_ids.push_back(Load16At(message, at));
    EXPECT_EQ(Load16At(message, at + 2) % 4, 0u);
  }
  EXPECT_THAT(set_ids, ElementsAreArray({401, 403, 401, 2}));
}

// Templates whose records are shorter than the padding that the alignment would ask for.
constexpr auto kOneOctet = std::to_array({
    Number<1>(Iana("ipVersion"), [](const SessionRecord&) { return 4; }),
});
constexpr auto kThreeOctets = std::to_array({
    Number<1>(Iana("ipVersion"), [](const SessionRecord&) { return 4; }),
    Number<2>(Iana("sourceTransportPort"), [](const SessionRecord&) { return 0xabcd; }),
});

TEST(MessageEncoderTest, PaddingIsShorterThanAnyRecord) {
  const Session session = ExampleSession();
  const SessionRecord record{Kind::kStart, session};
  const SessionTemplate one = MakeTemplate<kOneOctet>(900, "one octet");
  const SessionTemplate three = MakeTemplate<kThreeOctets>(901, "three octets");
  {
    MessageEncoder encoder({});
    ASSERT_TRUE(encoder.Add(one, record));
    EXPECT_EQ(Finish(encoder).size(), 16u + 4 + 1) << "three octets would be three records";
  }
  {
    MessageEncoder encoder({});
    ASSERT_TRUE(encoder.Add(three, record));
    EXPECT_EQ(Finish(encoder).size(), 16u + 4 + 3 + 1);
    ASSERT_TRUE(encoder.Add(three, record));
    ASSERT_TRUE(encoder.Add(three, record));
    ASSERT_TRUE(encoder.Add(three, record));
    const Bytes message = Finish(encoder);
    EXPECT_EQ(message.size(), 16u + 4 + 9) << "three octets of padding would be a record";
  }
  {
    // Sets that are not aligned are decoded all the same.
    MessageEncoder encoder({});
    ASSERT_TRUE(encoder.AddTemplate(one));
    ASSERT_TRUE(encoder.AddTemplate(three));
    for (const SessionTemplate& description : {one, three, one, one, three}) {
      ASSERT_TRUE(encoder.Add(description, record));
    }
    MessageDecoder decoder({});
    std::vector<int> ids;
    const Bytes message = Finish(encoder);
    ASSERT_TRUE(decoder
                    .Decode("a", message,
                            [&ids](const RecordView& view) { ids.push_back(view.description.id); })
                    .ok());
    EXPECT_THAT(ids, ElementsAreArray({900, 901, 900, 900, 901}));
  }
}

// A template that counts how often a record is written.
int written = 0;
constexpr auto kCounted = std::to_array({
    Text(Iana("userName"),
         [](const SessionRecord& r) { ++written; return std::string_view(r.session.user_name); }),
});

TEST(MessageEncoderTest, WhatWasTurnedAwayIsNotWrittenTwice) {
  const SessionTemplate counted = MakeTemplate<kCounted>(902, "counted");
  MessageEncoder encoder({.max_message_octets = 512});
  Session session = ExampleSession();
  session.user_name.assign(200, 'a');
  const SessionRecord first{Kind::kStart, session};
  ASSERT_TRUE(encoder.Add(counted, first));
  ASSERT_TRUE(encoder.Add(counted, first));
  session.user_name.assign(199, 'b');
  const SessionRecord last{Kind::kEnd, session};
  written = 0;
  ASSERT_FALSE(encoder.Add(counted, last));
  EXPECT_EQ(Finish(encoder).size(), 16u + 4 + 2 * 201);
  ASSERT_TRUE(encoder.AddAgain(counted, last));
  EXPECT_EQ(written, 1);
  EXPECT_EQ(encoder.records(), 1u);
  const Bytes message = Finish(encoder);
  MessageEncoder other({.max_message_octets = 512, .first_sequence = 2});
  ASSERT_TRUE(other.Add(counted, last));
  EXPECT_EQ(message, Finish(other));
}

TEST(MessageEncoderTest, WhatWasTurnedAwayUnwrittenIsWrittenThen) {
  const SessionTemplate counted = MakeTemplate<kCounted>(902, "counted");
  MessageEncoder encoder({.max_records = 1});
  Session session = ExampleSession();
  session.user_name = "first";
  const SessionRecord record{Kind::kStart, session};
  ASSERT_TRUE(encoder.Add(counted, record));
  session.user_name = "second";
  ASSERT_FALSE(encoder.Add(counted, record));
  EXPECT_EQ(Finish(encoder).size(), 16u + 4 + 6);
  ASSERT_TRUE(encoder.AddAgain(counted, record));
  EXPECT_EQ(Finish(encoder).size(), 16u + 4 + 7);
}

TEST(MessageEncoderTest, PaddingIsZeroWhateverTheBufferHeld) {
  MessageEncoder encoder({});
  Session session = ExampleSession();
  session.user_name = "zzzzzzzzzzzzzzzzzzzzzzzzzzz";
  SessionRecord record{Kind::kStart, session};
  const SessionTemplate& description = TemplateFor(Profile::kIanaOnly, record);
  ASSERT_TRUE(encoder.Add(description, record));
  Finish(encoder);
  session.user_name = "alice";
  ASSERT_TRUE(encoder.Add(description, record));
  const Bytes message = Finish(encoder);
  EXPECT_THAT(Bytes(message.end() - 4, message.end()), ElementsAreArray(Hex("65 000000")));
}

TEST(MessageEncoderTest, SequenceCountsDataRecordsSentBeforeAndWraps) {
  MessageEncoder encoder({.first_sequence = 0xfffffffe});
  const Session session = ExampleSession();
  const SessionRecord record{Kind::kStart, session};
  const SessionTemplate& description = TemplateFor(Profile::kIanaOnly, record);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(encoder.Add(description, record));
  EXPECT_EQ(encoder.sequence(), 0xfffffffeu);
  EXPECT_EQ(SequenceOf(Finish(encoder)), 0xfffffffeu);
  EXPECT_EQ(encoder.sequence(), 1u);
  ASSERT_TRUE(encoder.AddTemplate(description));
  EXPECT_EQ(SequenceOf(Finish(encoder)), 1u);
  ASSERT_TRUE(encoder.Add(description, record));
  EXPECT_EQ(SequenceOf(Finish(encoder)), 1u);
  EXPECT_EQ(encoder.sequence(), 2u);
}

TEST(MessageEncoderTest, HoldsNoMoreRecordsThanAllowed) {
  MessageEncoder encoder({.max_records = 2});
  const Session session = ExampleSession();
  const SessionRecord record{Kind::kStart, session};
  const SessionTemplate& description = TemplateFor(Profile::kIanaOnly, record);
  EXPECT_TRUE(encoder.Add(description, record));
  EXPECT_TRUE(encoder.Add(description, record));
  EXPECT_FALSE(encoder.Add(description, record));
  EXPECT_TRUE(encoder.AddTemplate(description)) << "templates are no data records";
  Finish(encoder);
  EXPECT_TRUE(encoder.Add(description, record));
}

// Every bound, with records of changing size and strings as long as they get: no message is longer
// than allowed, none is shorter than it says, and no record is refused by an empty message.
TEST(MessageEncoderTest, NeverExceedsTheBoundAndAlwaysFitsOneRecord) {
  for (const size_t bound : {512u, 513u, 514u, 515u, 576u, 1280u, 1400u, 1452u, 9000u, 65533u,
                             65534u, 65535u}) {
    for (const Layout& layout :
         {Layout::OfProfile(Profile::kProcess), Layout::OfProfile(Profile::kIanaOnly),
          Layout::OfProfile(Profile::kFixed), Layout::OfProfile(Profile::kFull),
          Layout::OfProfile(Profile::kFull, 32473)}) {
      MessageEncoder encoder({.max_message_octets = bound, .pen = layout.pen()});
      MessageDecoder decoder({});
      Session session = ExampleSession();
      size_t added = 0;
      size_t longest = 0;
      const auto finish = [&] {
        const Bytes message = Finish(encoder);
        ASSERT_LE(message.size(), bound);
        ASSERT_EQ(message.size(), Load16At(message, 2));
        longest = std::max(longest, message.size());
        const absl::Status status = decoder.Decode("a", message, [](const RecordView&) {});
        ASSERT_TRUE(status.ok()) << status;
      };
      for (const Template& description : layout.templates()) {
        if (encoder.AddTemplate(description)) continue;
        finish();
        ASSERT_TRUE(encoder.AddTemplate(description)) << bound << " " << description.name;
      }
      for (size_t i = 0; i < 400; ++i) {
        session.direction = i % 2 == 0 ? Direction::kActive : Direction::kPassive;
        session.process->name = TaskName(i % 3 == 0 ? "\xff\xff\xff\xff\xff\xff\xff\xff" : "curl");
        session.user_name.assign(i % 11 == 0 ? 2000 : i % 40, i % 4 == 0 ? '\xfe' : 'u');
        session.container = std::make_shared<ContainerFacts>(
            ContainerFacts{.id = std::string(i % 13 == 0 ? 300 : 64, 'c')});
        session.pod = std::make_shared<PodFacts>(
            PodFacts{.pod_name = std::string(i % 17 == 0 ? 2000 : i % 60, 'p')});
        session.executable.assign(i % 7 == 0 ? 5000 : i * 3 % 300, '/');
        const SessionRecord record{i % 5 == 0 ? Kind::kStart : Kind::kEnd, session};
        const SessionTemplate& description = *layout.For(record);
        if (!encoder.Add(description, record)) {
          finish();
          ASSERT_TRUE(encoder.Add(description, record)) << bound << " " << i;
        }
        ++added;
      }
      finish();
      EXPECT_EQ(decoder.stats().records, added);
      EXPECT_EQ(decoder.stats().lost_records, 0u);
      EXPECT_TRUE(bound >= 9000 || longest > bound * 3 / 4) << "messages are filled";
    }
  }
}

TEST(MessageEncoderTest, LengthsOutsideTheBoundsAreBroughtInside) {
  const Session session = ExampleSession();
  const SessionRecord record{Kind::kStart, session};
  for (const size_t bound : {size_t{0}, size_t{100}, size_t{1000000}}) {
    MessageEncoder encoder({.max_message_octets = bound});
    while (encoder.Add(TemplateFor(Profile::kProcess, record), record)) {
    }
    const size_t size = Finish(encoder).size();
    EXPECT_GE(size, bound < 512 ? 300u : 60000u);
    EXPECT_LE(size, bound < 512 ? 512u : 65535u);
  }
}

}  // namespace
}  // namespace sockflow::ipfix
