// SPDX-License-Identifier: MIT

// Elements of our own, which come under whatever number their sender has.

#include <string>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sockflow/ipfix/layout.h"
#include "sockflow/ipfix/message_decoder.h"
#include "sockflow/ipfix/message_encoder.h"
#include "sockflow/ipfix/options_records.h"
#include "tests/unit/ipfix/wire_builder.h"

namespace sockflow::ipfix {
namespace {

using ::testing::IsSupersetOf;
using Names = std::vector<std::string>;

constexpr uint32_t kPen = 32473;
constexpr ExporterIdentity kIdentity{.observation_domain = 7, .process_id = 1};

Bytes EndMessage(const Layout& layout) {
  const Session session = ExampleSession();
  const SessionRecord record{SessionRecord::Kind::kEnd, session};
  MessageEncoder encoder({.observation_domain = 7, .pen = layout.pen()});
  EXPECT_TRUE(encoder.Add(*layout.For(record), record));
  const auto octets = encoder.Finish(Time{});
  return {octets.begin(), octets.end()};
}

class OwnNamesTest : public ::testing::Test {
 protected:
  // The names of what is known in the session's records.
  Names Decode(const std::vector<uint8_t>& message, std::string_view session = "a") {
    Names names;
    const absl::Status status = decoder_.Decode(session, message, [&](const RecordView& record) {
      if (record.description.scope_fields > 0) return;
      for (const DecodedField& field : record.description.fields) {
        if (field.element != nullptr && field.element->pen == kOwn) names.emplace_back(field.element->name);
      }
    });
    EXPECT_TRUE(status.ok()) << status;
    return names;
  }
  void DecodePreamble(const Layout& layout, std::string_view session = "a") {
    for (const Message& message : MakePreamble(layout, kIdentity, {})) Decode(message.octets, session);
  }

  const Layout layout_ = Layout::OfProfile(Profile::kFull, kPen);
  MessageDecoder decoder_{{}};
};

TEST_F(OwnNamesTest, AreToldByTypeRecords) {
  DecodePreamble(layout_);
  EXPECT_THAT(Decode(EndMessage(layout_)),
              IsSupersetOf({"sessionCloseReason", "socketError", "sessionPreExisting",
                            "tcpHandshakeMicroseconds", "processCgroupPath"}));
  // Templates that come again are no others.
  DecodePreamble(layout_);
  EXPECT_EQ(decoder_.stats().redefined_templates, 0u);
  EXPECT_FALSE(Decode(EndMessage(layout_)).empty());
}

TEST_F(OwnNamesTest, ComeLateToTemplatesThatWereThereBefore) {
  const std::vector<Message> preamble = MakePreamble(layout_, kIdentity, {});
  MessageEncoder encoder({.observation_domain = 7, .max_message_octets = 8000, .pen = kPen});
  for (const Template& description : layout_.templates()) ASSERT_TRUE(encoder.AddTemplate(description));
  const auto templates = encoder.Finish(Time{});
  Decode({templates.begin(), templates.end()});
  EXPECT_TRUE(Decode(EndMessage(layout_)).empty());
  for (const Message& message : preamble) Decode(message.octets);
  EXPECT_FALSE(Decode(EndMessage(layout_)).empty());
  EXPECT_EQ(decoder_.stats().redefined_templates, 0u);
}

TEST_F(OwnNamesTest, AreThoseOfOneSession) {
  DecodePreamble(layout_, "a");
  DecodePreamble(Layout::OfProfile(Profile::kFull, kPen + 1), "b");
  EXPECT_FALSE(Decode(EndMessage(layout_), "a").empty());
  EXPECT_FALSE(Decode(EndMessage(Layout::OfProfile(Profile::kFull, kPen + 1)), "b").empty());
  MessageEncoder encoder({.observation_domain = 7, .max_message_octets = 8000, .pen = kPen});
  for (const Template& description : layout_.templates()) ASSERT_TRUE(encoder.AddTemplate(description));
  const auto templates = encoder.Finish(Time{});
  Decode({templates.begin(), templates.end()}, "c");
  EXPECT_TRUE(Decode(EndMessage(layout_), "c").empty());
}

// Somebody else's element that happens to have a name, a number or a type of ours.
TEST_F(OwnNamesTest, OnlyWhatIsOursAltogether) {
  // Template 300: the four fields that count, number and id being the scope; 301: 7 and element 4.
  const auto name = [](std::string_view text) {
    std::string hex = fmt::format("{:02x}", text.size());
    for (const char c : text) hex += fmt::format("{:02x}", c);
    return hex;
  };
  const std::string error = name("socketError"), reason = name("sessionCloseReason");
  // Number, id, type, name.
  const std::vector<std::pair<std::string, bool>> cases = {
      {"00007ed9 0004 02" + error, true},   {"00007ed9 0004 03" + error, false},
      {"00007ed9 0005 02" + error, false},  {"00007ed9 0004 02" + reason, false},
      {"00007ed9 0004 02" + name(""), false}, {"00007ed9 0004 0d" + reason, false},
      {"00007ed9 0004 02" + name("SRC_PROC_PID"), false}};
  for (const auto& [record, known] : cases) {
    decoder_.EndSession("a");
    const std::string types = "012c" + record, value = "012d 01bb 0068";
    Decode(MakeMessage({"0003 012c 0004 0002 015a 0004 012f 0002 0153 0001 0155 ffff",
                        "0002 012d 0002 0007 0002 8004 0002 00007ed9"}));
    Decode(MakeMessage({types}));
    EXPECT_EQ(!Decode(MakeMessage({value})).empty(), known) << record;
  }
}

TEST_F(OwnNamesTest, AreBounded) {
  Decode(MakeMessage({"0003 012c 0004 0002 015a 0004 012f 0002 0153 0001 0155 ffff"}));
  for (uint32_t pen = 100'000; pen < 101'000; ++pen) {
    Decode(MakeMessage({fmt::format("012c {:08x} 0004 02 0b 736f636b65744572726f72", pen)}));
  }
  const auto is_known = [&](uint32_t pen) {
    Decode(MakeMessage({fmt::format("0002 {:04x} 0001 8004 0002 {:08x}", 400 + pen % 100, pen)}));
    return !Decode(MakeMessage({fmt::format("{:04x} 0068", 400 + pen % 100)})).empty();
  };
  EXPECT_TRUE(is_known(100'000));
  EXPECT_FALSE(is_known(100'999));
}

}  // namespace
}  // namespace sockflow::ipfix
