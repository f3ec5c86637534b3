// SPDX-License-Identifier: MIT
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sockflow/ipfix/layout.h"
#include "tests/unit/ipfix/wire_builder.h"

namespace sockflow::ipfix {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Kind = SessionRecord::Kind;
using Names = std::vector<std::string>;

constexpr uint32_t kPen = 32473;

Layout Make(const Names& names, uint32_t pen = 0) {
  const auto layout = Layout::OfFields(names, pen);
  EXPECT_TRUE(layout.ok()) << layout.status();
  return *layout;
}

std::string ErrorOf(const Names& names, uint32_t pen = 0) {
  const auto layout = Layout::OfFields(names, pen);
  EXPECT_FALSE(layout.ok());
  EXPECT_EQ(layout.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(layout.status().message());
}

Names NamesIn(const SessionTemplate* description) {
  Names names;
  if (description == nullptr) return names;
  for (const Field& field : description->fields) names.emplace_back(field.element->name);
  return names;
}

class ListedLayoutTest : public ::testing::Test {
 protected:
  Names For(const Layout& layout, Kind kind, Direction direction, const char* address) {
    session_.direction = direction;
    session_.local.address = session_.remote.address = *IpAddress::Parse(address);
    return NamesIn(layout.For({kind, session_}));
  }
  Session session_ = ExampleSession();
};

TEST_F(ListedLayoutTest, KeepsTheOrderAndLeavesOutWhatDoesNotBelong) {
  const Layout layout = Make({"octetDeltaCount", "DST_PROC_PID", "sourceIPv6Address", "flowId",
                              "SRC_PROC_PID", "sourceIPv4Address", "flowEndReason"});
  EXPECT_THAT(For(layout, Kind::kStart, Direction::kActive, "192.0.2.1"),
              ElementsAre("flowId", "SRC_PROC_PID", "sourceIPv4Address"));
  EXPECT_THAT(For(layout, Kind::kStart, Direction::kPassive, "192.0.2.1"),
              ElementsAre("DST_PROC_PID", "flowId", "sourceIPv4Address"));
  EXPECT_THAT(For(layout, Kind::kEnd, Direction::kActive, "2001:db8::1"),
              ElementsAre("octetDeltaCount", "sourceIPv6Address", "flowId", "SRC_PROC_PID",
                          "flowEndReason"));
  EXPECT_THAT(For(layout, Kind::kEnd, Direction::kPassive, "2001:db8::1"),
              ElementsAre("octetDeltaCount", "DST_PROC_PID", "sourceIPv6Address", "flowId",
                          "flowEndReason"));
  EXPECT_EQ(For(layout, Kind::kUpdate, Direction::kPassive, "2001:db8::1"),
            For(layout, Kind::kEnd, Direction::kPassive, "2001:db8::1"));
  EXPECT_EQ(layout.templates().size(), 8u);
  EXPECT_EQ(layout.name(), "fields");
  EXPECT_FALSE(layout.templates_in_each_message());
  EXPECT_TRUE(layout.fixed_length());
}

// Whoever sums the ends of sessions must not miss what updates have told before.
TEST_F(ListedLayoutTest, UpdatesNeedAFieldThatTellsThemFromEnds) {
  for (const char* const name : {"firewallEvent", "flowEndReason"}) {
    EXPECT_TRUE(Make({name, "octetDeltaCount"}).has_updates()) << name;
  }
  const Layout layout = Make({"flowId", "octetDeltaCount"});
  EXPECT_FALSE(layout.has_updates());
  EXPECT_THAT(For(layout, Kind::kUpdate, Direction::kActive, "192.0.2.1"), IsEmpty());
  EXPECT_FALSE(Layout::OfProfile(Profile::kSsflow).has_updates());
  EXPECT_TRUE(Layout::OfProfile(Profile::kFixed).has_updates());
}

TEST_F(ListedLayoutTest, SharesTemplatesThatAreTheSame) {
  const Layout layout = Make({"flowId", "applicationName"});
  EXPECT_EQ(layout.templates().size(), 1u);
  EXPECT_THAT(For(layout, Kind::kEnd, Direction::kPassive, "2001:db8::1"),
              ElementsAre("flowId", "applicationName"));
  EXPECT_FALSE(layout.fixed_length());
}

TEST_F(ListedLayoutTest, ARecordWithoutAnyListedFieldIsNotExported) {
  const Layout layout = Make({"flowEndReason", "initiatorOctets"});
  EXPECT_THAT(For(layout, Kind::kStart, Direction::kActive, "192.0.2.1"), IsEmpty());
  EXPECT_THAT(For(layout, Kind::kEnd, Direction::kActive, "192.0.2.1"),
              ElementsAre("flowEndReason", "initiatorOctets"));
  const Layout ipv6 = Make({"destinationIPv6Address"});
  EXPECT_THAT(For(ipv6, Kind::kEnd, Direction::kActive, "192.0.2.1"), IsEmpty());
  EXPECT_EQ(ipv6.templates().size(), 1u);
}

TEST_F(ListedLayoutTest, CopiesStayValidWhenTheFirstIsGone) {
  auto first = std::make_unique<Layout>(Make({"flowId", "SRC_PROC_NAME"}));
  const Layout copy = *first;
  first.reset();
  EXPECT_THAT(For(copy, Kind::kStart, Direction::kActive, "192.0.2.1"),
              ElementsAre("flowId", "SRC_PROC_NAME"));
}

TEST_F(ListedLayoutTest, IdsAreInTheirRangeAndDifferBetweenLists) {
  const Names all = {"flowId", "sourceIPv4Address", "destinationIPv4Address", "octetDeltaCount",
                     "SRC_PROC_PID", "DST_PROC_PID", "applicationName", "flowEndReason",
                     "flowStartMilliseconds", "flowEndMilliseconds"};
  std::set<int> first_ids;
  int lists = 0;
  for (size_t a = 0; a < all.size(); ++a) {
    for (size_t b = 0; b < all.size(); ++b) {
      if (a == b) continue;
      const Layout layout = Make({all[a], all[b]});
      std::set<int> ids;
      for (const Template& description : layout.templates()) {
        EXPECT_GE(description.id, 0x8000);
        EXPECT_TRUE(ids.insert(description.id).second);
      }
      ++lists;
      first_ids.insert(*ids.begin() / 8);
      EXPECT_EQ(*ids.begin() / 8, *ids.rbegin() / 8);
    }
  }
  EXPECT_GE(first_ids.size(), static_cast<size_t>(lists - 4)) << "hardly any two the same";
  EXPECT_EQ(Make({"flowId"}).templates()[0].id, Make({"flowId"}).templates()[0].id);
  EXPECT_NE(Make({"flowId", "socketError"}, 1).templates()[0].id,
            Make({"flowId", "socketError"}, 2).templates()[0].id)
      << "another enterprise, other elements";
}

TEST_F(ListedLayoutTest, OwnElementsNeedANumber) {
  EXPECT_THAT(ErrorOf({"flowId", "sessionCloseReason"}),
              HasSubstr("\"sessionCloseReason\" is an element of our own and needs a private "
                        "enterprise number (exporter.pen)"));
  EXPECT_EQ(Make({"sessionCloseReason"}, kPen).pen(), kPen);
  EXPECT_EQ(Make({"flowId"}, kPen).pen(), 0u) << "a reader of IANA's elements only";
  EXPECT_EQ(Make({"SRC_PROC_PID"}, kPen).pen(), kPen);
}

TEST_F(ListedLayoutTest, ErrorsNameTheElementAndTheRemedy) {
  EXPECT_EQ(ErrorOf({"flowId", "aplicationName"}),
            "\"aplicationName\" is no element (did you mean applicationName?); "
            "\"sockflow fields\" lists all");
  EXPECT_THAT(ErrorOf({"sourceIPv5Address"}),
              HasSubstr("did you mean sourceIPv4Address or sourceIPv6Address?"));
  EXPECT_THAT(ErrorOf({"src_proc_pid"}), HasSubstr("did you mean SRC_PROC_PID"));
  EXPECT_THAT(ErrorOf({"bgpSourceAsNumber"}),
              HasSubstr("\"bgpSourceAsNumber\" is known but sockflow has no value for it"));
  EXPECT_THAT(ErrorOf({"lossReason"}, kPen), HasSubstr("has no value for it"));
  EXPECT_THAT(ErrorOf({"reverseFlowStartMilliseconds"}), HasSubstr("has no value for it"));
  EXPECT_THAT(ErrorOf({"flowId", "flowId"}), HasSubstr("\"flowId\" is listed twice"));
  EXPECT_THAT(ErrorOf({}), HasSubstr("the list of fields is empty"));
  EXPECT_THAT(ErrorOf({""}), HasSubstr("\"\" is no element;"));
  EXPECT_THAT(ErrorOf({"ssflowEvent"}), HasSubstr("is no element"));
  const std::string strange = ErrorOf({"a\nb\x1b" + std::string(10000, 'x')});
  EXPECT_LT(strange.size(), 300u);
  EXPECT_THAT(strange, Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace sockflow::ipfix
