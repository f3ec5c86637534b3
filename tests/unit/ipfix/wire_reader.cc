// SPDX-License-Identifier: MIT
#include "tests/unit/ipfix/wire_reader.h"

#include <algorithm>
#include <map>
#include <utility>

#include "gtest/gtest.h"

namespace sockflow::ipfix {
namespace {

uint64_t Big(std::span<const uint8_t> octets) {
  uint64_t number = 0;
  for (const uint8_t octet : octets) number = number << 8 | octet;
  return number;
}

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> octets) : rest_(octets) {}
  size_t size() const { return rest_.size(); }
  std::span<const uint8_t> rest() const { return rest_; }
  std::span<const uint8_t> Take(size_t octets) {
    EXPECT_LE(octets, rest_.size()) << "cut off";
    const auto taken = rest_.first(std::min(octets, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  template <typename Number>
  Number Take() {
    return static_cast<Number>(Big(Take(sizeof(Number))));
  }

 private:
  std::span<const uint8_t> rest_;
};

void ExpectPadding(const Reader& set, size_t smallest) {
  EXPECT_LT(set.size(), smallest) << "padding as long as a record";
  for (const uint8_t octet : set.rest()) EXPECT_EQ(octet, 0) << "padding";
}

WireTemplate ReadTemplate(Reader& set, uint16_t set_id, uint32_t domain) {
  WireTemplate read{.domain = domain, .set = set_id, .id = set.Take<uint16_t>()};
  const auto fields = set.Take<uint16_t>();
  if (set_id == 3) {
    read.scope_fields = set.Take<uint16_t>();
    EXPECT_GT(read.scope_fields, 0);
    EXPECT_LE(read.scope_fields, fields);
  }
  for (uint16_t i = 0; i < fields; ++i) {
    const auto id = set.Take<uint16_t>();
    WireField field{.id = static_cast<uint16_t>(id & 0x7FFF), .length = set.Take<uint16_t>()};
    if ((id & 0x8000) != 0) field.pen = set.Take<uint32_t>();
    read.fields.push_back(field);
  }
  return read;
}

WireRecord ReadRecord(Reader& set, const WireTemplate& description) {
  WireRecord record{.domain = description.domain, .id = description.id};
  for (const WireField& field : description.fields) {
    size_t length = field.length;
    if (length == 65535) length = set.Take<uint8_t>();
    if (field.length == 65535 && length == 255) length = set.Take<uint16_t>();
    const auto value = set.Take(length);
    record.values.emplace_back(value.begin(), value.end());
  }
  return record;
}

}  // namespace

uint64_t WireRecord::Number(size_t field) const { return Big(values.at(field)); }
std::string WireRecord::Text(size_t field) const {
  return std::string(values.at(field).begin(), values.at(field).end());
}

WireContents ReadWire(const std::vector<Message>& messages, size_t max_octets) {
  WireContents contents;
  std::map<std::pair<uint32_t, uint16_t>, WireTemplate> known;
  for (const Message& message : messages) {
    EXPECT_LE(message.octets.size(), max_octets);
    Reader reader(message.octets);
    EXPECT_EQ(reader.Take<uint16_t>(), 10);
    EXPECT_EQ(reader.Take<uint16_t>(), message.octets.size());
    reader.Take(8);
    const auto domain = reader.Take<uint32_t>();
    const size_t records_before = contents.records.size();
    EXPECT_GT(reader.size(), 0u) << "an empty message";
    while (reader.size() > 0) {
      const auto set_id = reader.Take<uint16_t>();
      const auto set_length = reader.Take<uint16_t>();
      EXPECT_GT(set_length, 4);
      Reader set(reader.Take(set_length - size_t{4}));
      if (set_id == 2 || set_id == 3) {
        while (set.size() >= 4) {
          const WireTemplate read = ReadTemplate(set, set_id, domain);
          known[{domain, read.id}] = read;
          contents.templates.push_back(read);
        }
        ExpectPadding(set, 4);
        continue;
      }
      const auto description = known.find({domain, set_id});
      if (description == known.end()) {
        ADD_FAILURE() << "no template " << set_id << " in domain " << domain;
        return contents;
      }
      size_t smallest = 0;
      for (const WireField& field : description->second.fields) {
        smallest += field.length == 65535 ? 1 : field.length;
      }
      while (set.size() >= smallest) {
        contents.records.push_back(ReadRecord(set, description->second));
        contents.records.back().templates_before = contents.templates.size();
      }
      ExpectPadding(set, smallest);
    }
    EXPECT_EQ(message.records, contents.records.size() - records_before);
  }
  return contents;
}

}  // namespace sockflow::ipfix
