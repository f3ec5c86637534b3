// SPDX-License-Identifier: MIT

// Strings on the wire, of variable and of fixed length, at every edge.

#include <string>

#include "gtest/gtest.h"
#include "ipfix/utf8.h"
#include "ipfix/writer.h"
#include "tests/unit/ipfix/wire_builder.h"

namespace sockflow::ipfix {
namespace {

const std::string kEuro = "\xe2\x82\xac";
const std::string kReplaced = "\xef\xbf\xbd";

std::string Repeat(const std::string& text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

// What String writes, with the octets of its length before it.
std::string Variable(const std::string& text, size_t budget = 5000) {
  Bytes room(8000, 0xee);
  Writer writer(room.data(), budget);
  writer.String(text);
  return std::string(room.begin(), room.begin() + (writer.at() - room.data()));
}

std::string Short(const std::string& text) {
  return std::string(1, static_cast<char>(text.size())) + text;
}
std::string Long(const std::string& text) {
  return std::string("\xff") + static_cast<char>(text.size() >> 8) +
         static_cast<char>(text.size()) + text;
}

TEST(StringFieldTest, LengthTakesOneOctetOrThree) {
  EXPECT_EQ(Variable(""), std::string(1, '\0'));
  EXPECT_EQ(Variable("a"), Short("a"));
  for (const size_t size : {7u, 8u, 9u, 253u, 254u}) {
    EXPECT_EQ(Variable(std::string(size, 'x')), Short(std::string(size, 'x'))) << size;
  }
  for (const size_t size : {255u, 256u, 1023u, 1024u}) {
    EXPECT_EQ(Variable(std::string(size, 'x')), Long(std::string(size, 'x'))) << size;
  }
}

TEST(StringFieldTest, IsCutAtTheLongestAndAtTheBudget) {
  EXPECT_EQ(Variable(std::string(1025, 'x')), Long(std::string(1024, 'x')));
  EXPECT_EQ(Variable(std::string(100000, 'x')), Long(std::string(1024, 'x')));
  EXPECT_EQ(Variable("abcdef", 3), Short("abc"));
  EXPECT_EQ(Variable("abcdef", 0), Short(""));
  EXPECT_EQ(Variable(Repeat(kEuro, 500)), Long(Repeat(kEuro, 341))) << "not inside a character";
  EXPECT_EQ(Variable(Repeat(kEuro, 2), 5), Short(kEuro));
}

TEST(StringFieldTest, IsValidUtf8WithoutNul) {
  EXPECT_EQ(Variable("a\xff" "b"), Short("a" + kReplaced + "b"));
  EXPECT_EQ(Variable("cut\xe2\x82"), Short("cut" + kReplaced));
  EXPECT_EQ(Variable(std::string("a\0b", 3)), Short("a" + kReplaced + "b"));
  EXPECT_EQ(Variable(std::string(84, '\xff')), Short(Repeat(kReplaced, 84)));
  EXPECT_EQ(Variable(std::string(85, '\xff')), Long(Repeat(kReplaced, 85)))
      << "what replaces it is longer";
}

template <size_t kOctets>
std::string Fixed(const std::string& text) {
  Bytes room(kOctets + 8, 0xee);
  Writer writer(room.data(), 0);
  writer.FixedString<kOctets>(text);
  EXPECT_EQ(writer.at(), room.data() + kOctets);
  for (size_t i = kOctets; i < room.size(); ++i) EXPECT_EQ(room[i], 0xee) << "past its end";
  return std::string(room.begin(), room.begin() + kOctets);
}

std::string Padded(std::string text, size_t octets) {
  text.resize(octets, '\0');
  return text;
}

TEST(StringFieldTest, FixedIsPaddedWithNul) {
  for (size_t size = 0; size <= 16; ++size) {
    const std::string text(size, 'x');
    EXPECT_EQ(Fixed<16>(text), Padded(text, 16)) << size;
  }
}

TEST(StringFieldTest, FixedIsCutBetweenCharacters) {
  EXPECT_EQ(Fixed<16>(std::string(17, 'x')), std::string(16, 'x'));
  EXPECT_EQ(Fixed<16>(std::string(5000, 'x')), std::string(16, 'x'));
  EXPECT_EQ(Fixed<16>(Repeat(kEuro, 6)), Padded(Repeat(kEuro, 5), 16));
  EXPECT_EQ(Fixed<16>("x" + Repeat(kEuro, 5)), "x" + Repeat(kEuro, 5));
  EXPECT_EQ(Fixed<32>("xx" + Repeat(kEuro, 11)), "xx" + Repeat(kEuro, 10));
}

TEST(StringFieldTest, FixedIsValidUtf8) {
  EXPECT_EQ(Fixed<16>("a\xff" "b"), Padded("a" + kReplaced + "b", 16));
  EXPECT_EQ(Fixed<16>("0123456789abc\xff"), "0123456789abc" + kReplaced);
  EXPECT_EQ(Fixed<16>("0123456789abcd\xff"), Padded("0123456789abcd", 16));
  EXPECT_EQ(Fixed<16>(std::string(16, '\xff')), Padded(Repeat(kReplaced, 5), 16));
  EXPECT_EQ(Fixed<16>(std::string("\0x", 2)), Padded(kReplaced + "x", 16));
}

}  // namespace
}  // namespace sockflow::ipfix
