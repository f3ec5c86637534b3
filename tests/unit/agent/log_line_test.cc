// SPDX-License-Identifier: MIT
#include "agent/log_line.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace sockflow {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// 2026-11-22 01:02:03.004 UTC.
LogLine Line(LogLevel level, std::string_view message) {
  return {std::chrono::system_clock::time_point(milliseconds(1795309323004)), level, message};
}

class LogFormatTest : public ::testing::Test {
 protected:
  LogFormatTest() {
    setenv("TZ", "UTC", 1);
    tzset();
  }
};

TEST_F(LogFormatTest, Goldens) {
  const std::string_view message = "a \"b\" \\c\td\xff\x1b[31m \xc3\xa9 \xe2\x80\xae.";
  EXPECT_EQ(Format(Line(LogLevel::kWarning, "refused"), LogFormat::kText),
            "2026-11-22 01:02:03.004 warning refused\n");
  EXPECT_EQ(Format(Line(LogLevel::kWarning, "refused"), LogFormat::kText, /*colored=*/true),
            "2026-11-22 01:02:03.004 \033[33m\033[1mwarning\033[m refused\n");
  EXPECT_EQ(Format(Line(LogLevel::kError, message), LogFormat::kJson),
            "{\"time\":\"2026-11-22T01:02:03.004Z\",\"level\":\"error\",\"message\":\"a \\\"b\\\" \\\\c\\td\\ufffd"
            "\\u001b[31m \xc3\xa9 \\u202e.\"}\n");
  EXPECT_EQ(Format(Line(LogLevel::kInfo, "two\nlines\n"), LogFormat::kJson),
            "{\"time\":\"2026-11-22T01:02:03.004Z\",\"level\":\"info\",\"message\":\"two\\nlines\\n\"}\n");
  EXPECT_EQ(Format(Line(LogLevel::kInfo, "two\nlines"), LogFormat::kJournald), "<6>two\n<6>lines\n");
  EXPECT_EQ(Format(Line(LogLevel::kInfo, ""), LogFormat::kJournald), "<6>\n");
}

TEST_F(LogFormatTest, PrioritiesAreSyslogs) {
  const std::pair<LogLevel, const char*> kCases[] = {{LogLevel::kTrace, "<7>m\n"},
                                                     {LogLevel::kDebug, "<7>m\n"},
                                                     {LogLevel::kInfo, "<6>m\n"},
                                                     {LogLevel::kWarning, "<4>m\n"},
                                                     {LogLevel::kError, "<3>m\n"}};
  for (const auto& [level, line] : kCases) EXPECT_EQ(Format(Line(level, "m"), LogFormat::kJournald), line);
}

TEST_F(LogFormatTest, TheJournalIsKnownByDeviceAndInode) {
  EXPECT_EQ(FormatFor("8:1234", 8, 1234), LogFormat::kJournald);
  EXPECT_EQ(FormatFor("8:12345", 8, 1234), LogFormat::kText);
  EXPECT_EQ(FormatFor("9:1234", 8, 1234), LogFormat::kText);
  EXPECT_EQ(FormatFor("", 8, 1234), LogFormat::kText);
  EXPECT_EQ(FormatFor(nullptr, 8, 1234), LogFormat::kText);
}

std::vector<std::string> Messages(const std::vector<LogRateLimit::Report>& reports) {
  std::vector<std::string> messages;
  for (const LogRateLimit::Report& report : reports) messages.push_back(report.message);
  return messages;
}

TEST(LogRateLimitTest, HoldsBackWhatComesAgainAndAgain) {
  const LogRateLimit::Moment begin{};
  LogRateLimit limit({.most = 2, .window = seconds(60)});
  int passed = 0;
  for (int i = 0; i < 100; ++i) {
    passed += limit.Passes(LogLevel::kWarning, "lost " + std::to_string(i * i) + " records", begin);
  }
  EXPECT_EQ(passed, 2);
  // Another kind, and another level.
  EXPECT_TRUE(limit.Passes(LogLevel::kWarning, "found 7 records", begin));
  EXPECT_TRUE(limit.Passes(LogLevel::kInfo, "lost 7 records", begin));
  EXPECT_THAT(limit.TakeReports(begin + seconds(59)), IsEmpty());
  EXPECT_THAT(Messages(limit.TakeReports(begin + seconds(60))),
              ElementsAre("lost 9801 records (98 more like it in 60 s)"));
  EXPECT_TRUE(limit.Passes(LogLevel::kWarning, "lost 1 records", begin + seconds(61)));
  EXPECT_THAT(limit.TakeReports(begin + seconds(200)), IsEmpty());
}

TEST(LogRateLimitTest, DifferentCollectorsAreDifferentKinds) {
  LogRateLimit limit({.most = 1});
  EXPECT_TRUE(limit.Passes(LogLevel::kWarning, "udp://192.0.2.1:4739: refused (12 records lost)", {}));
  EXPECT_TRUE(limit.Passes(LogLevel::kWarning, "udp://192.0.2.2:4739: refused (12 records lost)", {}));
  EXPECT_FALSE(limit.Passes(LogLevel::kWarning, "udp://192.0.2.2:4739: refused (7 records lost)", {}));
  EXPECT_TRUE(limit.Passes(LogLevel::kWarning, "within 12 s", {}));
  EXPECT_FALSE(limit.Passes(LogLevel::kWarning, "within 0.25 s", {}));
}

TEST(LogRateLimitTest, TellsInTheEndWhatItHolds) {
  LogRateLimit limit({.most = 1, .window = seconds(60)});
  for (int i = 0; i < 4; ++i) limit.Passes(LogLevel::kError, "x", {});
  const auto reports = limit.TakeReports(LogRateLimit::Moment::max());
  EXPECT_THAT(Messages(reports), ElementsAre("x (3 more like it in 60 s)"));
  EXPECT_EQ(reports.front().level, LogLevel::kError);
  EXPECT_THAT(limit.TakeReports(LogRateLimit::Moment::max()), IsEmpty());
}

TEST(LogRateLimitTest, WhoAsksForDetailsGetsThemAll) {
  LogRateLimit limit({.most = 1});
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(limit.Passes(LogLevel::kDebug, "x", {}));
}

TEST(LogRateLimitTest, RemembersSoManyKindsAndNoMore) {
  LogRateLimit limit({.most = 1, .max_kinds = 3});
  for (char c = 'a'; c < 'z'; ++c) EXPECT_TRUE(limit.Passes(LogLevel::kInfo, std::string(1, c), {}));
  EXPECT_FALSE(limit.Passes(LogLevel::kInfo, "a", {}));
  EXPECT_TRUE(limit.Passes(LogLevel::kInfo, "x", {}));
}

}  // namespace
}  // namespace sockflow
