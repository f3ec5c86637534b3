// SPDX-License-Identifier: MIT
#include <algorithm>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sockflow/ipfix/template.h"

namespace sockflow::ipfix {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::vector<Profile> AllProfiles() {
  std::vector<Profile> profiles;
  for (const std::string_view name : ProfileNames()) profiles.push_back(*ParseProfile(name));
  return profiles;
}

TEST(SessionTemplatesTest, ProfilesHaveNames) {
  EXPECT_EQ(ParseProfile("process"), Profile::kProcess);
  EXPECT_EQ(ParseProfile("iana"), Profile::kIanaOnly);
  EXPECT_EQ(ParseProfile("IANA"), std::nullopt);
  EXPECT_EQ(ParseProfile(""), std::nullopt);
  EXPECT_EQ(ToString(Profile::kIanaOnly), "iana");
}

// RFC 7011 3.4.1: 0 to 255 are not for templates. 256 belongs to another layout.
TEST(SessionTemplatesTest, IdsAreUniqueOverAllProfiles) {
  std::set<int> ids;
  for (const Profile profile : AllProfiles()) {
    for (const Template& description : TemplatesOf(profile)) {
      EXPECT_GT(description.id, 256);
      EXPECT_TRUE(ids.insert(description.id).second) << description.id;
    }
  }
  EXPECT_EQ(ids.size(), 12u);
}

TEST(SessionTemplatesTest, EveryFieldIsCurrentLegalAndThereOnce) {
  for (const Profile profile : AllProfiles()) {
    for (const Template& description : TemplatesOf(profile)) {
      std::set<const Element*> elements;
      for (const Field& field : description.fields) {
        ASSERT_NE(field.element, nullptr);
        const Element& element = *field.element;
        EXPECT_EQ(&element, FindElement(element.pen, element.id));
        EXPECT_EQ(element.status, ElementStatus::kCurrent) << element.name;
        EXPECT_TRUE(IsLegalLength(element.type, field.length)) << element.name;
        EXPECT_TRUE(elements.insert(&element).second) << element.name << " twice";
        EXPECT_TRUE(element.name != "tcpControlBits" || field.length == 1);
        EXPECT_TRUE(profile != Profile::kIanaOnly || element.pen == kIana) << element.name;
      }
      for (const char* name : {"flowId", "flowStartMilliseconds", "flowEndMilliseconds",
                               "applicationName", "firewallEvent"}) {
        EXPECT_TRUE(elements.contains(FindElement(name))) << description.name << " " << name;
      }
    }
  }
}

TEST(SessionTemplatesTest, ListsTheFieldsOfAProfile) {
  const std::string csv = ListFields(Profile::kIanaOnly, ListFormat::kCsv);
  EXPECT_THAT(csv, StartsWith("pen,id,name,type,semantics,units,status\n"
                              "0,1,octetDeltaCount,unsigned64,deltaCounter,octets,current\n"
                              "0,2,packetDeltaCount,unsigned64,deltaCounter,packets,current\n"
                              "0,4,protocolIdentifier,unsigned8,identifier,,current\n"));
  EXPECT_EQ(std::ranges::count(csv, '\n'), 1 + 24);
  EXPECT_EQ(csv.find("PROC"), std::string::npos);

  const std::string all = ListFields(std::nullopt, ListFormat::kCsv);
  EXPECT_THAT(all, HasSubstr("\n35632,168,SRC_PROC_PID,unsigned32,identifier,,current\n"));
  EXPECT_EQ(all, ListFields(Profile::kProcess, ListFormat::kCsv)) << "iana is a part of process";
}

TEST(SessionTemplatesTest, TextListIsAligned) {
  const std::string text = ListFields(Profile::kProcess, ListFormat::kText);
  const size_t name_column = text.find("name");
  size_t line = 0;
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1, ++line) {
    EXPECT_EQ(text[at + name_column - 1], ' ') << line;
    EXPECT_NE(text[at + name_column], ' ') << line;
  }
  EXPECT_EQ(line, 1u + 42);
}

}  // namespace
}  // namespace sockflow::ipfix
