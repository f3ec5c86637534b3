// SPDX-License-Identifier: MIT
#include "collector/safe_text.h"

#include <random>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace sockflow::collector {
namespace {

using namespace std::string_literals;  // for NULs inside

std::string Json(std::string_view text) {
  std::string out(text.size() * kMaxGrowth, '\0');
  out.resize(static_cast<size_t>(WriteJsonText(text, out.data()) - out.data()));
  return out;
}

std::string Terminal(std::string_view text) {
  std::string out(text.size() * kMaxGrowth, '\0');
  out.resize(static_cast<size_t>(WriteTerminalText(text, out.data()) - out.data()));
  return out;
}

bool HasControl(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto octet = static_cast<uint8_t>(text[i]);
    if (octet < 0x20 || octet == 0x7f) return true;
    // U+0080..U+009F in UTF-8.
    if (octet == 0xc2 && i + 1 < text.size() && static_cast<uint8_t>(text[i + 1]) < 0xa0) {
      return true;
    }
  }
  return false;
}

TEST(SafeTextTest, LeavesOrdinaryTextAlone) {
  for (const std::string_view text : {"", "nginx: worker", "naïve", "日本語", "🦀", "a/b'c=<>&"}) {
    EXPECT_EQ(Json(text), text);
    EXPECT_EQ(Terminal(text), text);
  }
}

TEST(SafeTextTest, EscapesWhatBreaksJson) {
  EXPECT_EQ(Json("a\"b\\c\nd\re\tf"), R"(a\"b\\c\nd\re\tf)");
  EXPECT_EQ(Json("\0\x1b[31m\x7f"s), R"(\u0000\u001b[31m\u007f)");
  EXPECT_EQ(Json("\u2028\u2029\u0085"), R"(\u2028\u2029\u0085)");
  EXPECT_EQ(Json("\u202egnp.exe\u2066\u200b\ufeff"), R"(\u202egnp.exe\u2066\u200b\ufeff)");
  EXPECT_EQ(Json("\U000e0041"), R"(\udb40\udc41)");
}

TEST(SafeTextTest, EscapesWhatMovesATerminal) {
  EXPECT_EQ(Terminal("a\"b\\c\nd\re\tf"), R"(a\"b\\c\nd\re\tf)");
  EXPECT_EQ(Terminal("\0\x1b[31m\x7f"s), R"(\x00\x1b[31m\x7f)");
  EXPECT_EQ(Terminal("\u202egnp.exe\u0085\u00ad\U000e0041"),
            R"(\u{202e}gnp.exe\u{85}\u{ad}\u{e0041})");
}

TEST(SafeTextTest, ReplacesWhatIsNotUtf8) {
  // RFC 3629 10: overlong forms, surrogates, beyond U+10FFFF, cut off, continuation alone.
  for (const std::string_view bad : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82",
                                     "\x80", "\xff", "\xf8\x88\x80\x80\x80"}) {
    std::string replaced;
    std::string shown;
    for (const char c : bad) {
      replaced += R"(\ufffd)";
      char hex[5];
      std::snprintf(hex, sizeof(hex), "\\x%02x", static_cast<uint8_t>(c));
      shown += hex;
    }
    EXPECT_EQ(Json(bad), replaced);
    EXPECT_EQ(Terminal(bad), shown);
    EXPECT_EQ(Json(std::string(bad) + "z"), replaced + "z");
  }
}

TEST(SafeTextTest, CountsCharactersAsColumns) {
  EXPECT_EQ(ColumnsOf("nginx"), 5u);
  EXPECT_EQ(ColumnsOf("naïve"), 5u);
  EXPECT_EQ(ColumnsOf(""), 0u);
}

TEST(SafeTextTest, NoOctetsBreakALine) {
  std::mt19937 random(20251121);
  constexpr uint8_t kLikely[] = {'"', '\\', 0, '\n', 0x1b, 0xc2, 0x85, 0xe2, 0x80, 0xa8, 0xae, 'a'};
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 24, '\0');
    for (char& c : text) {
      c = static_cast<char>(random() % 2 == 0 ? kLikely[random() % std::size(kLikely)] : random());
    }
    const std::string json = Json(text);
    ASSERT_FALSE(HasControl(json)) << json;
    ASSERT_TRUE(nlohmann::json::parse("\"" + json + "\"", nullptr, false).is_string()) << json;
    const std::string shown = Terminal(text);
    ASSERT_FALSE(HasControl(shown)) << shown;
    // nlohmann takes a raw string only if it is UTF-8.
    ASSERT_NO_THROW((void)nlohmann::json(shown).dump());
  }
}

}  // namespace
}  // namespace sockflow::collector
