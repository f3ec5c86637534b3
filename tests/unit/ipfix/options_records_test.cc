// SPDX-License-Identifier: MIT
#include "sockflow/ipfix/options_records.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/ipfix/wire_reader.h"

namespace sockflow::ipfix {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint32_t kPen = 32473;
const Time kNow{std::chrono::milliseconds(1'800'000'000'123)};
const ExporterIdentity kIdentity{
    .observation_domain = 7, .process_id = 4711, .domain_name = "host.example"};

std::vector<const WireRecord*> RecordsOf(const WireContents& contents, uint16_t id) {
  std::vector<const WireRecord*> records;
  for (const WireRecord& record : contents.records) {
    if (record.id == id) records.push_back(&record);
  }
  return records;
}

std::vector<std::pair<uint32_t, uint16_t>> TypesIn(const WireContents& contents) {
  std::vector<std::pair<uint32_t, uint16_t>> types;
  for (const WireRecord* record : RecordsOf(contents, 501)) {
    types.emplace_back(record->Number(0), record->Number(1));
  }
  return types;
}

std::vector<uint16_t> IdsOf(const WireTemplate& description) {
  std::vector<uint16_t> ids;
  for (const WireField& field : description.fields) ids.push_back(field.id);
  return ids;
}

class OptionsRecordsTest : public ::testing::Test {
 protected:
  WireContents Preamble(const Layout& layout, ExporterIdentity identity = kIdentity,
                        size_t limit = 1400) {
    messages_ = MakePreamble(layout, identity, {.max_message_octets = limit});
    return ReadWire(messages_, limit);
  }
  // With the preamble before, so that the records can be read.
  WireContents Statistics(const Layout& layout, const ExportingStatistics& exporting,
                          const MeteringStatistics& metering,
                          ExporterIdentity identity = kIdentity, size_t limit = 1400) {
    messages_ = MakePreamble(layout, identity, {.max_message_octets = limit});
    const size_t preamble_records = ReadWire(messages_, limit).records.size();
    for (Message& message : MakeStatistics(layout, identity, exporting, metering, kNow,
                                           {.max_message_octets = limit})) {
      messages_.push_back(std::move(message));
    }
    WireContents contents = ReadWire(messages_, limit);
    contents.records.erase(contents.records.begin(),
                           contents.records.begin() + static_cast<ptrdiff_t>(preamble_records));
    return contents;
  }

  std::vector<Message> messages_;
};

TEST_F(OptionsRecordsTest, PreambleHasTheTemplatesOfTheLayout) {
  const Layout layout = Layout::OfProfile(Profile::kProcess);
  const WireContents contents = Preamble(layout);
  std::vector<WireTemplate> data;
  for (const WireTemplate& sent : contents.templates) {
    if (sent.set == 2) data.push_back(sent);
  }
  ASSERT_EQ(data.size(), layout.templates().size());
  for (size_t i = 0; i < data.size(); ++i) {
    const Template& description = layout.templates()[i];
    EXPECT_EQ(data[i].id, description.id);
    EXPECT_EQ(data[i].domain, 7u);
    ASSERT_EQ(data[i].fields.size(), description.fields.size());
    for (size_t j = 0; j < data[i].fields.size(); ++j) {
      EXPECT_EQ(data[i].fields[j].id, description.fields[j].element->id);
      EXPECT_EQ(data[i].fields[j].pen, description.fields[j].element->pen);
      EXPECT_EQ(data[i].fields[j].length, description.fields[j].length);
    }
  }
}

// libfixbuf reads a template with the types that it knows when the template comes.
TEST_F(OptionsRecordsTest, TypesComeBeforeTheTemplatesThatUseThem) {
  const WireContents contents = Preamble(Layout::OfProfile(Profile::kFull, kPen));
  ASSERT_FALSE(contents.templates.empty());
  EXPECT_EQ(contents.templates[0].id, 501);
  for (const WireRecord* record : RecordsOf(contents, 501)) {
    EXPECT_EQ(record->templates_before, 1u) << record->Text(7);
  }
}

TEST_F(OptionsRecordsTest, TypeRecordsHaveAllNineFields) {
  const WireContents contents = Preamble(Layout::OfProfile(Profile::kProcess));
  const auto type = std::ranges::find(contents.templates, 501, &WireTemplate::id);
  ASSERT_NE(type, contents.templates.end());
  EXPECT_EQ(type->scope_fields, 2);
  EXPECT_THAT(IdsOf(*type), ElementsAre(346, 303, 339, 344, 345, 342, 343, 341, 340));

  for (const WireRecord* record : RecordsOf(contents, 501)) {
    EXPECT_EQ(record->domain, 7u);
    const Element* element = FindElement(static_cast<uint32_t>(record->Number(0)),
                                         static_cast<uint16_t>(record->Number(1)));
    ASSERT_NE(element, nullptr);
    EXPECT_EQ(record->Number(2), static_cast<uint64_t>(element->type));
    EXPECT_EQ(record->Number(3), static_cast<uint64_t>(element->semantics));
    EXPECT_EQ(record->Number(4), UnitsNumber(element->units));
    EXPECT_EQ(record->Number(5), 0u);
    EXPECT_EQ(record->Number(6), element->type == Type::kUnsigned32 ? 0xFFFFFFFFu : 0u);
    EXPECT_EQ(record->Text(7), element->name);
    EXPECT_EQ(record->Text(8), element->description);
    EXPECT_FALSE(record->Text(8).empty());
  }
}

TEST_F(OptionsRecordsTest, EachEnterpriseElementInUseHasOneTypeRecord) {
  for (const uint32_t pen : {uint32_t{0}, kPen}) {
    for (const Profile profile : {Profile::kProcess, Profile::kFull}) {
      const Layout layout = Layout::OfProfile(profile, pen);
      const WireContents contents = Preamble(layout);
      std::set<std::pair<uint32_t, uint16_t>> used;
      for (const WireTemplate& description : contents.templates) {
        for (const WireField& field : description.fields) {
          if (field.pen != 0 && field.pen != kReverse) used.emplace(field.pen, field.id);
        }
      }
      const auto types = TypesIn(contents);
      EXPECT_EQ(types.size(), used.size());
      EXPECT_EQ(std::set(types.begin(), types.end()), used);
      const bool own = std::ranges::any_of(used, [](auto e) { return e.first == kPen; });
      EXPECT_EQ(own, pen != 0);
      EXPECT_FALSE(used.contains({kOwn, 1})) << "what stands for the number must not go out";
    }
  }
}

TEST_F(OptionsRecordsTest, LayoutsWithoutEnterpriseElementsStayWithout) {
  for (const Profile profile : {Profile::kIanaOnly, Profile::kFixed}) {
    const std::vector<MeteringLoss> losses = {{"ring_buffer_full", 5}};
    const WireContents contents =
        Statistics(Layout::OfProfile(profile, kPen), {}, {.losses = losses});
    for (const WireTemplate& description : contents.templates) {
      EXPECT_NE(description.id, 501);
      for (const WireField& field : description.fields) {
        EXPECT_EQ(field.pen, 0u);
        EXPECT_TRUE(profile != Profile::kFixed || field.length != kVariableLength);
      }
    }
    EXPECT_THAT(RecordsOf(contents, 504), IsEmpty());
    EXPECT_EQ(RecordsOf(contents, 503).at(0)->Number(2), 5u) << "the sum goes out all the same";
  }
}

TEST_F(OptionsRecordsTest, NameOfTheDomain) {
  const WireContents named = Preamble(Layout::OfProfile(Profile::kIanaOnly));
  const auto records = RecordsOf(named, 505);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0]->Number(0), 7u);
  EXPECT_EQ(records[0]->Text(1), "host.example");
  EXPECT_EQ(records[0]->domain, 7u);

  const WireContents fixed = Preamble(Layout::OfProfile(Profile::kFixed));
  ASSERT_EQ(RecordsOf(fixed, 506).size(), 1u);
  EXPECT_EQ(RecordsOf(fixed, 506)[0]->Text(1), "host.example" + std::string(52, '\0'));

  ExporterIdentity nameless = kIdentity;
  nameless.domain_name.clear();
  const WireContents none = Preamble(Layout::OfProfile(Profile::kIanaOnly), nameless);
  EXPECT_THAT(none.records, IsEmpty());
  EXPECT_EQ(std::ranges::count(none.templates, 505, &WireTemplate::id), 0);
}

TEST_F(OptionsRecordsTest, ExportingProcessInDomain0) {
  const ExportingStatistics exporting{.messages = 1,
                                      .octets = 2,
                                      .records = 3,
                                      .not_sent_records = 4,
                                      .not_sent_packets = 5,
                                      .not_sent_octets = 6,
                                      .first_not_sent = kNow - std::chrono::seconds(9),
                                      .last_not_sent = kNow - std::chrono::seconds(1)};
  const std::vector<MeteringLoss> losses = {{"a", 10}, {"b", 20}};
  const WireContents contents =
      Statistics(Layout::OfProfile(Profile::kIanaOnly), exporting, {.losses = losses});
  const auto description = std::ranges::find(contents.templates, 502, &WireTemplate::id);
  ASSERT_NE(description, contents.templates.end());
  EXPECT_EQ(description->domain, 0u);
  EXPECT_EQ(description->scope_fields, 1);
  EXPECT_THAT(IdsOf(*description), ElementsAre(144, 41, 42, 40, 164, 166, 167, 168, 323, 323));
  const auto records = RecordsOf(contents, 502);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0]->domain, 0u);
  const std::array<uint64_t, 10> expected = {4711, 1, 3, 2, 30, 4, 5, 6, 1'799'999'991'123,
                                             1'799'999'999'123};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(records[0]->Number(i), expected[i]) << i;
}

TEST_F(OptionsRecordsTest, MeteringProcessInTheObservationDomain) {
  const std::vector<MeteringLoss> losses = {{"ring_buffer_full_start", 10}, {"table_full", 20}};
  const WireContents contents = Statistics(
      Layout::OfProfile(Profile::kProcess, kPen), {},
      {.losses = losses, .first_loss = kNow - std::chrono::seconds(3)});
  const auto description = std::ranges::find(contents.templates, 503, &WireTemplate::id);
  ASSERT_NE(description, contents.templates.end());
  EXPECT_EQ(description->scope_fields, 2);
  EXPECT_THAT(IdsOf(*description), ElementsAre(149, 143, 164, 165, 323, 323));
  const auto sums = RecordsOf(contents, 503);
  ASSERT_EQ(sums.size(), 1u);
  EXPECT_EQ(sums[0]->domain, 7u);
  const std::array<uint64_t, 6> expected = {7, 4711, 30, 0, 1'799'999'997'123, 1'800'000'000'123};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(sums[0]->Number(i), expected[i]) << i;

  const auto reasons = RecordsOf(contents, 504);
  ASSERT_EQ(reasons.size(), 2u);
  EXPECT_EQ(reasons[0]->Number(0), 7u);
  EXPECT_EQ(reasons[0]->Number(1), 4711u);
  EXPECT_EQ(reasons[0]->Text(2), "ring_buffer_full_start");
  EXPECT_EQ(reasons[0]->Number(3), 10u);
  EXPECT_EQ(reasons[1]->Text(2), "table_full");
  EXPECT_EQ(reasons[1]->Number(3), 20u);
}

// RFC 7011 4.3: without a loss both times are that of the record.
TEST_F(OptionsRecordsTest, WithoutLossTheTimesAreNow) {
  const WireContents contents = Statistics(Layout::OfProfile(Profile::kIanaOnly), {}, {});
  EXPECT_EQ(RecordsOf(contents, 502).at(0)->Number(8), 1'800'000'000'123u);
  EXPECT_EQ(RecordsOf(contents, 502).at(0)->Number(9), 1'800'000'000'123u);
  EXPECT_EQ(RecordsOf(contents, 503).at(0)->Number(4), 1'800'000'000'123u);
  EXPECT_EQ(RecordsOf(contents, 503).at(0)->Number(5), 1'800'000'000'123u);
}

// With every limit and layout; ReadWire checks each message against the limit and the standard.
TEST_F(OptionsRecordsTest, NoMessageIsTooLong) {
  std::vector<std::string> reasons;
  for (int i = 0; i < 200; ++i) reasons.push_back("reason_" + std::to_string(i * i * i));
  reasons.push_back(std::string(5000, 'x'));
  std::vector<MeteringLoss> losses;
  for (const std::string& reason : reasons) losses.push_back({reason, losses.size()});
  ExporterIdentity long_name = kIdentity;
  long_name.domain_name.assign(3000, 'n');
  for (const size_t limit : {512u, 513u, 576u, 1400u, 65535u}) {
    for (const Profile profile :
         {Profile::kProcess, Profile::kIanaOnly, Profile::kFixed, Profile::kFull}) {
      const Layout layout = Layout::OfProfile(profile, kPen);
      const WireContents contents =
          Statistics(layout, {}, {.losses = losses}, long_name, limit);
      EXPECT_EQ(RecordsOf(contents, 504).size(), layout.pen() != 0 ? losses.size() : 0);
      EXPECT_EQ(RecordsOf(contents, 502).size(), 1u);
    }
  }
}

TEST_F(OptionsRecordsTest, DomainZeroMayBeTheOnlyOne) {
  ExporterIdentity zero = kIdentity;
  zero.observation_domain = 0;
  const WireContents contents = Statistics(Layout::OfProfile(Profile::kProcess), {}, {}, zero);
  for (const WireTemplate& description : contents.templates) EXPECT_EQ(description.domain, 0u);
  EXPECT_EQ(RecordsOf(contents, 502).size(), 1u);
  EXPECT_EQ(RecordsOf(contents, 503).at(0)->Number(0), 0u);
}

TEST_F(OptionsRecordsTest, SsflowHasNone) {
  const Layout layout = Layout::OfProfile(Profile::kSsflow, kPen);
  EXPECT_THAT(MakePreamble(layout, kIdentity, {}), IsEmpty());
  EXPECT_THAT(MakeStatistics(layout, kIdentity, {}, {}, kNow, {}), IsEmpty());
}

}  // namespace
}  // namespace sockflow::ipfix
