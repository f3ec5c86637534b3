// SPDX-License-Identifier: MIT
#include <random>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sockflow/ipfix/layout.h"
#include "sockflow/ipfix/message_decoder.h"
#include "sockflow/ipfix/message_encoder.h"
#include "sockflow/ipfix/value.h"
#include "tests/unit/ipfix/wire_builder.h"

namespace sockflow::ipfix {
namespace {

using ::testing::HasSubstr;

struct Malformed {
  const char* name;
  Bytes message;
  uint64_t MessageDecoder::Stats::* counter;
  const char* says;
};
void PrintTo(const Malformed& malformed, std::ostream* out) { *out << malformed.name; }

class MalformedTest : public ::testing::TestWithParam<Malformed> {};

// The whole message is discarded, with its templates and its good records; the next one is decoded.
TEST_P(MalformedTest, IsDiscardedWholeAndCounted) {
  const Malformed& test = GetParam();
  MessageDecoder decoder({});
  const auto nothing = [](const RecordView&) { ADD_FAILURE() << "delivered a record"; };
  const absl::Status status = decoder.Decode("a", test.message, nothing);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(test.says));
  MessageDecoder::Stats expected;
  expected.*test.counter = 1;
  EXPECT_EQ(decoder.stats(), expected);

  ASSERT_TRUE(decoder.Decode("a", MakeMessage({"0100 0050"}), nothing).ok());
  EXPECT_EQ(decoder.stats().unknown_template_sets, 1u) << "its template was kept";
  int delivered = 0;
  ASSERT_TRUE(decoder
                  .Decode("a", MakeMessage({kPortTemplate, "0100 0050"}),
                          [&delivered](const RecordView&) { ++delivered; })
                  .ok());
  EXPECT_EQ(delivered, 1);
}

Bytes With(Bytes message, size_t at, uint8_t octet) {
  message[at] = octet;
  return message;
}
Bytes WithMore(Bytes message, size_t octets) {
  message.resize(message.size() + octets);
  message[3] = static_cast<uint8_t>(message.size());
  return message;
}

using Stats = MessageDecoder::Stats;
INSTANTIATE_TEST_SUITE_P(
    MessageDecoderTest, MalformedTest,
    ::testing::Values(
        Malformed{"Empty", {}, &Stats::too_short, "16 octets"},
        Malformed{"HalfAHeader", Hex("000a 0008 0000 0000"), &Stats::too_short, "16 octets"},
        Malformed{"NetflowVersion9", With(MakeMessage({kPortTemplate}), 1, 9), &Stats::wrong_version,
                  "version is 9"},
        Malformed{"LengthTooLarge", With(MakeMessage({kPortTemplate}), 3, 200), &Stats::wrong_length,
                  "says 200 octets"},
        Malformed{"LengthTooSmall", With(MakeMessage({kPortTemplate}), 3, 20), &Stats::wrong_length,
                  "says 20 octets"},
        Malformed{"SetOfLengthZero", With(MakeMessage({kPortTemplate, "0100 0050"}), 31, 0),
                  &Stats::bad_set, "length of 0"},
        Malformed{"SetOfLengthThree", With(MakeMessage({kPortTemplate, "0100 0050"}), 31, 3),
                  &Stats::bad_set, "length of 3"},
        Malformed{"SetLongerThanTheMessage", With(MakeMessage({kPortTemplate, "0100 0050"}), 31, 7),
                  &Stats::bad_set, "length of 7"},
        Malformed{"OctetsBehindTheLastSet", WithMore(MakeMessage({kPortTemplate}), 3),
                  &Stats::bad_set, "too few"},
        Malformed{"TemplateIdBelow256", MakeMessage({kPortTemplate, "0002 00ff 0001 0007 0002"}),
                  &Stats::bad_template, "255"},
        Malformed{"TemplateCutOff", MakeMessage({kPortTemplate, "0002 0101 0002 0007 0002"}),
                  &Stats::bad_template, "1 of 2"},
        Malformed{"EnterpriseNumberCutOff", MakeMessage({kPortTemplate, "0002 0101 0001 8007 0002"}),
                  &Stats::bad_template, "0 of 1"},
        Malformed{"OptionsTemplateCutOff", MakeMessage({kPortTemplate, "0003 0101 0001"}),
                  &Stats::bad_template, "cut off"},
        Malformed{"OptionsTemplateWithoutScope",
                  MakeMessage({kPortTemplate, "0003 0101 0001 0000 0007 0002"}),
                  &Stats::bad_template, "0 scopes"},
        Malformed{"MoreScopesThanFields",
                  MakeMessage({kPortTemplate, "0003 0101 0001 0002 0007 0002"}),
                  &Stats::bad_template, "2 scopes"},
        Malformed{"WithdrawalOfAnImpossibleTemplate", MakeMessage({kPortTemplate, "0002 00ff 0000"}),
                  &Stats::bad_template, "255"},
        Malformed{"StringLongerThanItsSet",
                  MakeMessage({kPortTemplate, "0100 0050", kStringTemplate, "0101 05 6162"}),
                  &Stats::bad_record, "ends outside"},
        Malformed{"LongStringLongerThanItsSet",
                  MakeMessage({kPortTemplate, kStringTemplate, "0101 ff ffff 6162"}),
                  &Stats::bad_record, "ends outside"},
        Malformed{"LongLengthCutOff", MakeMessage({kPortTemplate, kStringTemplate, "0101 ff 00"}),
                  &Stats::bad_record, "ends outside"},
        Malformed{"RecordCutOffBehindAString",
                  MakeMessage({kPortTemplate, kStringTemplate, "0101 01 61"}), &Stats::bad_record,
                  "cut off"}),
    [](const auto& test) { return test.param.name; });

// A real message of ours with templates and records, as the thing to break.
Bytes ExampleMessage() {
  MessageEncoder encoder({});
  const Session session = ExampleSession();
  for (const Profile profile : {Profile::kIanaOnly, Profile::kProcess}) {
    const SessionRecord record{SessionRecord::Kind::kStart, session};
    const SessionTemplate& description = *Layout::OfProfile(profile).For(record);
    EXPECT_TRUE(encoder.AddTemplate(description));
    EXPECT_TRUE(encoder.Add(description, record));
    EXPECT_TRUE(encoder.Add(description, record));
  }
  const auto message = encoder.Finish(session.ended);
  return Bytes(message.begin(), message.end());
}

// Reads all that is delivered, so that a sanitizer sees every wrong pointer.
uint64_t Touch(const RecordView& view) {
  uint64_t sum = 0;
  std::string text;
  for (size_t i = 0; i < view.values.size(); ++i) {
    AppendValue(view.description.fields[i].element, view.values[i], text);
    for (const uint8_t octet : view.values[i]) sum += octet;
  }
  return sum + text.size();
}

TEST(BrokenMessageTest, CutOffAtEveryOctet) {
  const Bytes whole = ExampleMessage();
  for (const bool true_length : {false, true}) {
    for (size_t size = 0; size < whole.size(); ++size) {
      Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
      if (true_length && size >= 4) {
        cut[2] = static_cast<uint8_t>(size >> 8);
        cut[3] = static_cast<uint8_t>(size);
      }
      MessageDecoder decoder({});
      size_t delivered = 0;
      const absl::Status status =
          decoder.Decode("a", cut, [&delivered](const RecordView& view) {
            delivered += Touch(view) > 0 ? 1 : 0;
          });
      // Only a cut between two sets leaves a sound message.
      EXPECT_TRUE(status.ok() || delivered == 0) << size;
      EXPECT_EQ(decoder.stats().records, delivered);
      EXPECT_FALSE(status.ok() && !true_length) << size;
    }
  }
}

TEST(BrokenMessageTest, EverySingleOctetChanged) {
  const Bytes whole = ExampleMessage();
  uint64_t delivered = 0;
  MessageDecoder lasting({.reliable_transport = true, .max_sessions = 8});
  for (size_t at = 0; at < whole.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      const Bytes broken = With(whole, at, static_cast<uint8_t>(value));
      MessageDecoder decoder({});
      for (MessageDecoder* one : {&decoder, &lasting}) {
        const uint64_t before = one->stats().records;
        uint64_t seen = 0;
        const absl::Status status = one->Decode("a", broken, [&seen](const RecordView& view) {
          Touch(view);
          ++seen;
        });
        ASSERT_EQ(one->stats().records - before, seen);
        ASSERT_TRUE(status.ok() || seen == 0);
        delivered += seen;
      }
    }
  }
  EXPECT_GT(delivered, whole.size() * 256) << "most changes leave a message that can be read";
  uint64_t malformed = 0;
  for (const auto& [reason, count] : MalformedReasons(lasting.stats())) malformed += count;
  EXPECT_EQ(malformed + lasting.stats().messages, whole.size() * 256);
}

TEST(BrokenMessageTest, RandomOctetsBehindAValidHeader) {
  std::mt19937_64 random(7);
  MessageDecoder decoder({.max_sessions = 16, .max_fields = 1000});
  for (int i = 0; i < 50'000; ++i) {
    Bytes message = MakeMessage({});
    const size_t size = 16 + random() % 120;
    while (message.size() < size) {
      message.push_back(static_cast<uint8_t>(random() % 4 == 0 ? random() : random() % 5));
    }
    message[2] = static_cast<uint8_t>(size >> 8);
    message[3] = static_cast<uint8_t>(size);
    message[15] = static_cast<uint8_t>(random() % 32);
    (void)decoder.Decode("a", message, [](const RecordView& view) { Touch(view); });
  }
  uint64_t malformed = 0;
  for (const auto& [reason, count] : MalformedReasons(decoder.stats())) malformed += count;
  EXPECT_EQ(malformed + decoder.stats().messages, 50'000u);
}

}  // namespace
}  // namespace sockflow::ipfix
