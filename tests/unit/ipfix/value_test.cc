// SPDX-License-Identifier: MIT
#include "sockflow/ipfix/value.h"

#include <chrono>

#include "gtest/gtest.h"
#include "tests/unit/ipfix/wire_builder.h"

namespace sockflow::ipfix {
namespace {

struct Rendering {
  ValueKind kind;
  std::string text;
  friend bool operator==(const Rendering&, const Rendering&) = default;
};
void PrintTo(const Rendering& rendering, std::ostream* out) {
  *out << static_cast<int>(rendering.kind) << " " << rendering.text;
}

Rendering Render(Type type, std::string_view hex) {
  const Element element{.name = "tested", .type = type};
  Rendering rendering;
  rendering.kind = AppendValue(&element, Hex(hex), rendering.text);
  return rendering;
}
Rendering Number(std::string text) { return {ValueKind::kNumber, std::move(text)}; }
Rendering String(std::string text) { return {ValueKind::kString, std::move(text)}; }

TEST(ValueTest, IntegersOfEverySize) {
  EXPECT_EQ(ReadUnsigned(Hex("01")), 1u);
  EXPECT_EQ(ReadUnsigned(Hex("010203")), 0x010203u);
  EXPECT_EQ(ReadUnsigned(Hex("ffffffffffffffff")), ~uint64_t{0});
  EXPECT_EQ(ReadUnsigned(Hex("")), std::nullopt);
  EXPECT_EQ(ReadUnsigned(Hex("000000000000000001")), std::nullopt);
  EXPECT_EQ(ReadSigned(Hex("ff")), -1);
  EXPECT_EQ(ReadSigned(Hex("ff00")), -256);
  EXPECT_EQ(ReadSigned(Hex("7fff")), 32767);
  EXPECT_EQ(ReadSigned(Hex("8000000000000000")), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(Render(Type::kUnsigned64, "ffffffffffffffff"), Number("18446744073709551615"));
  EXPECT_EQ(Render(Type::kSigned32, "fffe"), Number("-2"));
  EXPECT_EQ(Render(Type::kUnsigned256, "00000000000000000a"), String("00000000000000000a"));
}

TEST(ValueTest, FloatsAndBooleans) {
  EXPECT_EQ(Render(Type::kFloat64, "3ff8000000000000"), Number("1.5"));
  EXPECT_EQ(Render(Type::kFloat64, "3dcccccd"), Number("0.1"));
  EXPECT_EQ(Render(Type::kFloat32, "7fc00000"), String("NaN"));
  EXPECT_EQ(Render(Type::kFloat32, "ff800000"), String("-Infinity"));
  EXPECT_EQ(Render(Type::kFloat64, "3f"), String("3f"));
  EXPECT_EQ(Render(Type::kBoolean, "01"), (Rendering{ValueKind::kBoolean, "true"}));
  EXPECT_EQ(Render(Type::kBoolean, "02"), (Rendering{ValueKind::kBoolean, "false"}));
  EXPECT_EQ(Render(Type::kBoolean, "00"), String("00"));
}

TEST(ValueTest, TimesHaveTheResolutionOfTheirType) {
  // 2026-11-21T09:26:52Z is 0x6b0163dc seconds after 1970 and 0xeeabe25c after 1900.
  EXPECT_EQ(Render(Type::kDateTimeSeconds, "6b0163dc"), String("2026-11-21T09:26:52Z"));
  EXPECT_EQ(Render(Type::kDateTimeMilliseconds, "000001a1fd6e13db"),
            String("2026-11-21T09:26:52.123Z"));
  EXPECT_EQ(Render(Type::kDateTimeMilliseconds, "0000000000000000"),
            String("1970-01-01T00:00:00.000Z"));
  // Half a second; the last 11 bits must be ignored for microseconds.
  EXPECT_EQ(Render(Type::kDateTimeMicroseconds, "eeabe25c800007ff"),
            String("2026-11-21T09:26:52.500000Z"));
  EXPECT_EQ(Render(Type::kDateTimeNanoseconds, "eeabe25c80000005"),
            String("2026-11-21T09:26:52.500000001Z"));
  // The era after 7 February 2036.
  EXPECT_EQ(Render(Type::kDateTimeNanoseconds, "0000000000000000"),
            String("2036-02-07T06:28:16.000000000Z"));
}

TEST(ValueTest, EveryMicrosecondSurvivesTheNtpFormat) {
  for (uint64_t microseconds = 0; microseconds < 1'000'000; microseconds += 37) {
    // As an encoder does it: cut to 32 bits of fraction, then to 21.
    const uint64_t fraction = ((microseconds << 32) / 1'000'000) & ~uint64_t{0x7ff};
    Bytes octets = Hex("eeabe25c");
    for (int shift = 24; shift >= 0; shift -= 8) {
      octets.push_back(static_cast<uint8_t>(fraction >> shift));
    }
    const auto time = ReadTime(Type::kDateTimeMicroseconds, octets);
    ASSERT_TRUE(time.has_value());
    EXPECT_EQ(*time, Time(std::chrono::seconds(1795253212) +
                          std::chrono::microseconds(microseconds)));
  }
}

TEST(ValueTest, TimesThatDoNotFitAreNotRead) {
  EXPECT_EQ(ReadTime(Type::kDateTimeSeconds, Hex("00")), std::nullopt);
  EXPECT_EQ(ReadTime(Type::kDateTimeSeconds, Hex("0000000000000000")), std::nullopt);
  EXPECT_EQ(ReadTime(Type::kDateTimeMilliseconds, Hex("00000000")), std::nullopt);
  EXPECT_EQ(ReadTime(Type::kDateTimeMilliseconds, Hex("ffffffffffffffff")), std::nullopt);
  EXPECT_EQ(ReadTime(Type::kUnsigned64, Hex("0000000000000001")), std::nullopt);
  EXPECT_EQ(Render(Type::kDateTimeMilliseconds, "ffffffffffffffff"), String("ffffffffffffffff"));
}

TEST(ValueTest, Addresses) {
  EXPECT_EQ(Render(Type::kIpv4Address, "c0000201"), String("192.0.2.1"));
  EXPECT_EQ(Render(Type::kIpv6Address, "20010db8000000000000000000000001"), String("2001:db8::1"));
  EXPECT_EQ(Render(Type::kIpv6Address, "00000000000000000000ffffc0000201"),
            String("::ffff:192.0.2.1"));
  EXPECT_EQ(Render(Type::kIpv4Address, "c00002"), String("c00002"));
  EXPECT_EQ(Render(Type::kMacAddress, "00deadbeef01"), String("00:de:ad:be:ef:01"));
  EXPECT_EQ(ReadAddress(Hex("c0000201")), IpAddress::Parse("192.0.2.1"));
  EXPECT_EQ(ReadAddress(Hex("c000020100")), std::nullopt);
}

TEST(ValueTest, StringsEndBeforeTheirPadding) {
  EXPECT_EQ(ReadString(Hex("61626300")), "abc");
  EXPECT_EQ(ReadString(Hex("6100620000")), std::string_view("a\0b", 3));
  EXPECT_EQ(ReadString(Hex("0000")), "");
  EXPECT_EQ(Render(Type::kString, "22ff0000"), String("\"\xff"));
}

TEST(ValueTest, OctetsAndUnknownElementsAreHexadecimal) {
  EXPECT_EQ(Render(Type::kOctetArray, "00ff"), String("00ff"));
  EXPECT_EQ(Render(Type::kBasicList, ""), String(""));
  std::string text = "kept ";
  EXPECT_EQ(AppendValue(nullptr, Hex("0a0b"), text), ValueKind::kString);
  EXPECT_EQ(text, "kept 0a0b");
}

// No length that a sender may choose leads anywhere but to a text.
TEST(ValueTest, EveryTypeTakesEveryLength) {
  for (int type = 0; type <= static_cast<int>(Type::kUnsigned256); ++type) {
    for (size_t length = 0; length < 40; ++length) {
      const Element element{.name = "tested", .type = static_cast<Type>(type)};
      std::string text;
      AppendValue(&element, Bytes(length, 0xa5), text);
      EXPECT_EQ(text.empty(), length == 0) << type << " " << length;
    }
  }
}

}  // namespace
}  // namespace sockflow::ipfix
