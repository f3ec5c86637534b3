// SPDX-License-Identifier: MIT
#include "ipfix/utf8.h"

#include <array>
#include <string>

#include "gtest/gtest.h"
#include "sockflow/ipfix/value.h"

namespace sockflow::ipfix {
namespace {

std::string Repaired(std::string_view text) {
  std::string out;
  AppendUtf8(text, out);
  return out;
}

std::string Copied(std::string_view text, size_t limit) {
  std::array<uint8_t, 256> out{};
  uint8_t* const end = CopyUtf8(text, out.data(), limit);
  return std::string(out.data(), end);
}

TEST(Utf8Test, ValidTextStaysAsItIs) {
  for (const std::string_view text :
       {"", "a", "plain text", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\xa7", "\xed\x9f\xbf",
        "\xf4\x8f\xbf\xbf", "mix\xc3\xa4" "ed"}) {
    EXPECT_EQ(Repaired(text), text);
    EXPECT_EQ(Copied(text, 256), text);
  }
}

TEST(Utf8Test, EachMaximalInvalidPartBecomesOneReplacement) {
  EXPECT_EQ(Repaired("\xff"), "\uFFFD");
  EXPECT_EQ(Repaired("a\x80z"), "a\uFFFDz");
  EXPECT_EQ(Repaired("\xc0\xaf"), "\uFFFD\uFFFD") << "overlong";
  EXPECT_EQ(Repaired("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD") << "surrogate";
  EXPECT_EQ(Repaired("\xf4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD") << "beyond U+10FFFF";
  EXPECT_EQ(Repaired("\xe2\x82"), "\uFFFD") << "cut off";
  EXPECT_EQ(Repaired("\xe2\x82z"), "\uFFFDz");
  EXPECT_EQ(Repaired("\xf0\x9f\x90"), "\uFFFD");
  EXPECT_EQ(Repaired(std::string_view("a\0b", 3)), "a\uFFFDb") << "NUL";
}

TEST(Utf8Test, CutsBetweenCharacters) {
  EXPECT_EQ(Copied("ab\xe2\x82\xac", 5), "ab\xe2\x82\xac");
  EXPECT_EQ(Copied("ab\xe2\x82\xac", 4), "ab");
  EXPECT_EQ(Copied("ab\xff", 4), "ab");
  EXPECT_EQ(Copied("abc", 0), "");
}

TEST(Utf8Test, FastCopyTakesAsciiOnlyWhereverTheOtherOctetIs) {
  for (size_t size = 0; size < 40; ++size) {
    const std::string text(size, 'x');
    std::array<uint8_t, 64> out{};
    ASSERT_TRUE(CopyAscii(text, out.data()));
    EXPECT_EQ(std::string(out.begin(), out.begin() + static_cast<ptrdiff_t>(size)), text);
    EXPECT_EQ(out[size], 0) << "wrote past the end";
    for (size_t at = 0; at < size; ++at) {
      for (const char other : {'\0', '\x80', '\xff'}) {
        std::string changed = text;
        changed[at] = other;
        EXPECT_FALSE(CopyAscii(changed, out.data())) << size << " " << at;
      }
      std::string highest = text;
      highest[at] = '\x7f';
      EXPECT_TRUE(CopyAscii(highest, out.data()));
    }
  }
}

}  // namespace
}  // namespace sockflow::ipfix
