// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipfix/wire.h"
#include "sockflow/ipfix/layout.h"
#include "sockflow/ipfix/options_records.h"
#include "tests/unit/ipfix/wire_reader.h"

namespace sockflow::ipfix {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr uint32_t kPen = 32473;

std::vector<Layout> AllLayouts() {
  std::vector<Layout> layouts;
  for (const uint32_t pen : {uint32_t{0}, kPen}) {
    for (const std::string_view name : ProfileNames()) {
      layouts.push_back(Layout::OfProfile(*ParseProfile(name), pen));
    }
  }
  return layouts;
}

// Every name that a list of one's own can have, in one list.
Layout EverythingListed() {
  std::vector<std::string> names;
  for (const Element& element : AllElements()) {
    if (Layout::OfFields(std::vector{std::string(element.name)}, kPen).ok()) {
      names.emplace_back(element.name);
    }
  }
  return *Layout::OfFields(names, kPen);
}

TEST(SessionTemplatesTest, ProfilesHaveNames) {
  EXPECT_THAT(ProfileNames(),
              ::testing::ElementsAre("process", "iana", "fixed", "full", "ssflow"));
  EXPECT_EQ(ParseProfile("process"), Profile::kProcess);
  EXPECT_EQ(ParseProfile("iana"), Profile::kIanaOnly);
  EXPECT_EQ(ParseProfile("fixed"), Profile::kFixed);
  EXPECT_EQ(ParseProfile("full"), Profile::kFull);
  EXPECT_EQ(ParseProfile("ssflow"), Profile::kSsflow);
  EXPECT_EQ(ParseProfile("IANA"), std::nullopt);
  EXPECT_EQ(ParseProfile(""), std::nullopt);
  EXPECT_EQ(ToString(Profile::kIanaOnly), "iana");
  EXPECT_EQ(Layout::OfProfile(Profile::kFull, kPen).name(), "full");
}

std::string Signature(const Template& description) {
  std::string text;
  for (const Field& field : description.fields) {
    text += std::to_string(field.element->pen) + "/" + std::to_string(field.element->id) + ":" +
            std::to_string(field.length) + " ";
  }
  return text;
}

// RFC 7011 3.4.1: 0 to 255 are not for templates. 256 is what ssflow's decoder expects.
TEST(SessionTemplatesTest, AnIdMeansOneThingInAllProfiles) {
  std::map<int, std::string> meaning;
  for (const Layout& layout : AllLayouts()) {
    for (const Template& description : layout.templates()) {
      EXPECT_EQ(description.id == 256, layout.name() == "ssflow");
      EXPECT_GE(description.id, 256);
      EXPECT_LT(description.id, 500) << "options have those, and lists of one's own";
      const auto [known, inserted] = meaning.emplace(description.id, Signature(description));
      EXPECT_EQ(known->second, Signature(description)) << description.id;
    }
  }
  EXPECT_EQ(meaning.size(), 8u + 4 + 4 + 8 + 8 + 1);
  for (const int first : {301, 321, 331}) {
    for (int id = first; id < first + 8; ++id) {
      EXPECT_FALSE(meaning.contains(id)) << id << " is of a former layout";
    }
  }
}

TEST(SessionTemplatesTest, EveryFieldIsCurrentLegalAndThereOnce) {
  std::vector<Layout> layouts = AllLayouts();
  layouts.push_back(EverythingListed());
  for (const Layout& layout : layouts) {
    if (layout.name() == "ssflow") continue;
    const bool plain = layout.name() == "iana" || layout.name() == "fixed";
    for (const Template& description : layout.templates()) {
      SCOPED_TRACE(description.name);
      std::set<const Element*> elements;
      size_t fixed = 0, variable = 0;
      for (const Field& field : description.fields) {
        ASSERT_NE(field.element, nullptr);
        const Element& element = *field.element;
        EXPECT_EQ(&element, FindElement(element.pen, element.id));
        EXPECT_EQ(element.status, ElementStatus::kCurrent) << element.name;
        EXPECT_TRUE(IsLegalLength(element.type, field.length)) << element.name;
        EXPECT_TRUE(elements.insert(&element).second) << element.name << " twice";
        EXPECT_TRUE(element.name != "tcpControlBits" || field.length == 1);
        EXPECT_TRUE(!plain || element.pen == kIana) << element.name;
        EXPECT_TRUE(layout.pen() != 0 || element.pen != kOwn) << element.name;
        EXPECT_TRUE(layout.name() != "fixed" || field.length != kVariableLength);
        field.length == kVariableLength ? ++variable : fixed += field.length;
      }
      EXPECT_EQ(description.fixed_octets, fixed);
      EXPECT_EQ(description.variable_fields, variable);
      for (const char* name : {"flowId", "flowStartMilliseconds", "flowEndMilliseconds",
                               "applicationName", "userName", "firewallEvent"}) {
        EXPECT_TRUE(elements.contains(FindElement(name))) << name;
      }
    }
  }
}

// The smallest message that can be configured: every template fits in one, and every record even
// with empty strings whose lengths take three octets.
TEST(SessionTemplatesTest, EverythingFitsInTheSmallestMessage) {
  constexpr size_t kRoom = 512 - kMessageHeaderOctets - kSetHeaderOctets;
  std::vector<Layout> layouts = AllLayouts();
  layouts.push_back(EverythingListed());
  for (const Layout& layout : layouts) {
    for (const Template& description : layout.templates()) {
      size_t octets = kTemplateHeaderOctets;
      for (const Field& field : description.fields) octets += field.element->pen == 0 ? 4 : 8;
      EXPECT_LE(octets, kRoom) << description.name;
      EXPECT_LE(description.fixed_octets + 3 * description.variable_fields, kRoom)
          << description.name;
    }
  }
}

TEST(SessionTemplatesTest, EnterpriseElementsAreDescribedInFull) {
  for (const Element& element : AllElements()) {
    if (element.pen == kIana || element.pen == kReverse) continue;
    EXPECT_FALSE(element.description.empty()) << element.name;
    EXPECT_LT(element.description.size(), 128u) << element.name;
    EXPECT_TRUE(element.units.empty() || UnitsNumber(element.units) != 0) << element.name;
    // RFC 5610 3.10: what is no number has no semantics.
    const bool number = NativeLength(element.type) <= 8 && element.type <= Type::kFloat64;
    EXPECT_TRUE(number || element.semantics == Semantics::kDefault) << element.name;
  }
  EXPECT_EQ(UnitsNumber("octets"), 2);
  EXPECT_EQ(UnitsNumber("nanoseconds"), 8);
  EXPECT_EQ(UnitsNumber("entries"), 12);
  EXPECT_EQ(UnitsNumber(""), 0);
  EXPECT_EQ(UnitsNumber("parsecs"), 0);
}

// What goes over the wire for each template of each profile: id, elements and lengths.
std::string Golden() {
  std::map<int, std::string> blocks;
  for (const Layout& layout : AllLayouts()) {
    std::map<int, std::string> names;
    for (const Template& description : layout.templates()) {
      names[description.id] = description.name;
    }
    const auto preamble = MakePreamble(
        layout, {.observation_domain = 1, .process_id = 1, .domain_name = "h"}, {});
    for (const WireTemplate& sent : ReadWire(preamble, 1400).templates) {
      std::string block = std::to_string(sent.id) + " ";
      block += sent.set == 2 ? names.at(sent.id)
                             : "options, domain " + std::to_string(sent.domain) + ", scope " +
                                   std::to_string(sent.scope_fields);
      std::string line = "\n ";
      for (const WireField& field : sent.fields) {
        const Element* element = FindElement(field.pen == kPen ? kOwn : field.pen, field.id);
        const std::string length =
            field.length == kVariableLength ? "v" : std::to_string(field.length);
        const std::string word = " " + std::to_string(field.pen) + "/" +
                                 std::to_string(field.id) + " " + std::string(element->name) +
                                 " " + length + ",";
        if (line.size() + word.size() > 100) {
          block += line;
          line = "\n ";
        }
        line += word;
      }
      block += line;
      block.back() = '\n';
      blocks[sent.id] = block;
    }
  }
  std::string text;
  for (const auto& [id, block] : blocks) text += block;
  return text;
}

// A change here needs a new template id. To accept it: SOCKFLOW_WRITE_GOLDEN=1.
TEST(SessionTemplatesTest, TemplatesAreAsRecorded) {
  const char* const path = SOCKFLOW_GOLDEN_TEMPLATES;
  if (std::getenv("SOCKFLOW_WRITE_GOLDEN") != nullptr) std::ofstream(path) << Golden();
  std::ifstream file(path);
  const std::string recorded((std::istreambuf_iterator<char>(file)),
                             std::istreambuf_iterator<char>());
  EXPECT_EQ(Golden(), recorded);
}

TEST(SessionTemplatesTest, ListsTheFieldsOfAProfile) {
  const std::string csv = ListFields(Profile::kIanaOnly, ListFormat::kCsv);
  EXPECT_THAT(csv, StartsWith("pen,id,name,type,semantics,units,status\n"
                              "0,1,octetDeltaCount,unsigned64,deltaCounter,octets,current\n"
                              "0,2,packetDeltaCount,unsigned64,deltaCounter,packets,current\n"
                              "0,4,protocolIdentifier,unsigned8,identifier,,current\n"));
  EXPECT_EQ(std::ranges::count(csv, '\n'), 1 + 24);
  EXPECT_EQ(csv.find("PROC"), std::string::npos);
  EXPECT_EQ(csv, ListFields(Profile::kFixed, ListFormat::kCsv));

  const std::string full = ListFields(Profile::kFull, ListFormat::kCsv);
  EXPECT_THAT(full, HasSubstr("\n29305,1,reverseOctetDeltaCount,unsigned64,deltaCounter,octets,"));
  EXPECT_THAT(full, HasSubstr("\n56506,101,sourcePodName,string,default,,current\n"));
  EXPECT_THAT(full, HasSubstr("\nown,3,sessionCloseReason,string,default,,current\n"));
  EXPECT_EQ(full.find("4294967295"), std::string::npos);
  EXPECT_THAT(full, HasSubstr("\n0,85,octetTotalCount,unsigned64,totalCounter,octets,current\n"));
  EXPECT_THAT(full, HasSubstr("\nown,11,sessionPreExisting,boolean,default,,current\n"));

  const std::string ssflow = ListFields(Profile::kSsflow, ListFormat::kCsv);
  EXPECT_EQ(std::ranges::count(ssflow, '\n'), 1 + 8);
  EXPECT_THAT(ssflow, HasSubstr("\n0,34000,ssflowProcessName,string,default,,current\n"
                                "0,34001,ssflowEvent,string,default,,current\n"));
}

TEST(SessionTemplatesTest, WithoutAProfileEverythingThatCanBeListed) {
  const std::string all = ListFields(std::nullopt, ListFormat::kCsv);
  EXPECT_THAT(all, HasSubstr("\n35632,168,SRC_PROC_PID,unsigned32,identifier,,current\n"));
  EXPECT_THAT(all, HasSubstr("\n35632,556,SRC_PROC_CMDLINE,"));
  EXPECT_THAT(all, HasSubstr("\n0,156,flowStartNanoseconds,"));
  const Layout everything = EverythingListed();
  std::set<const Element*> listed;
  for (const Template& description : everything.templates()) {
    for (const Field& field : description.fields) listed.insert(field.element);
  }
  EXPECT_EQ(std::ranges::count(all, '\n'), 1 + static_cast<ptrdiff_t>(listed.size()));
}

TEST(SessionTemplatesTest, TextListIsAligned) {
  for (const std::string_view name : ProfileNames()) {
    const std::string text = ListFields(ParseProfile(name), ListFormat::kText);
    const size_t name_column = text.find("name");
    for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
      EXPECT_EQ(text[at + name_column - 1], ' ') << name;
      EXPECT_NE(text[at + name_column], ' ') << name;
    }
  }
}

}  // namespace
}  // namespace sockflow::ipfix
