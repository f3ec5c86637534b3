// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <string>

#include "collector/record_printer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/unit/collector/record_builder.h"

namespace sockflow::collector {
namespace {

using ipfix::kIana;
using ipfix::kNtop;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using namespace std::string_literals;

constexpr uint64_t kNow = 1'763'717'212'345;  // 2025-11-21T09:26:52.345Z

class TextPrinterTest : public testing::Test {
 protected:
  void SetUp() override { SetZone("UTC"); }
  void TearDown() override { SetZone("UTC"); }
  static void SetZone(const char* zone) {
    setenv("TZ", zone, 1);
    tzset();
  }

  static void Print(RecordPrinter& printer, const RecordBuilder& record, std::string* out) {
    record.With([&](const ipfix::RecordView& view) { printer.Print(view, out); });
  }
  // The line of the record, without the header line.
  static std::string Line(const RecordBuilder& record, const TextStyle& style = {.date = false}) {
    std::string out;
    Print(*MakeTextPrinter(style), record, &out);
    const size_t end = out.find('\n');
    return end + 1 == out.size() ? out : out.substr(end + 1);
  }
};

struct Tuple {
  std::string source = "\x0a\x00\x00\x01"s;
  uint16_t source_port = 40000;
  std::string destination = "\xc0\x00\x02\x01"s;
  uint16_t destination_port = 443;
};

RecordBuilder Session(uint64_t event, uint64_t direction, const Tuple& tuple = {}) {
  const bool v6 = tuple.source.size() == 16;
  return RecordBuilder()
      .Number(kIana, 233, event, 1)
      .Number(kIana, 61, direction, 1)
      .Raw(kIana, v6 ? 27 : 8, tuple.source)
      .Raw(kIana, v6 ? 28 : 12, tuple.destination)
      .Number(kIana, 7, tuple.source_port, 2)
      .Number(kIana, 11, tuple.destination_port, 2)
      .Number(kIana, 152, kNow, 8)
      .Number(kIana, 153, event == 1 ? kNow : kNow + 1234, 8);
}

RecordBuilder End(uint64_t direction, uint64_t reason, uint64_t bits, const Tuple& tuple = {}) {
  return Session(2, direction, tuple)
      .Number(kIana, 231, 1234, 8)
      .Number(kIana, 232, 34'000'000, 8)
      .Number(kIana, 136, reason, 1)
      .Number(kIana, 6, bits, 1);
}

RecordBuilder WithSource(RecordBuilder record, std::string_view name, uint32_t pid = 4711,
                         std::string_view user = "alice") {
  return record.Number(kNtop, 168, pid, 4).Raw(kNtop, 169, name).Raw(kNtop, 372, user);
}

RecordBuilder WithDestination(RecordBuilder record, std::string_view name, uint32_t pid = 812,
                              std::string_view user = "root") {
  return record.Number(kNtop, 375, pid, 4).Raw(kNtop, 376, name).Raw(kNtop, 377, user);
}

TEST_F(TextPrinterTest, AlignsTheColumns) {
  Tuple v6;
  v6.source = "\x20\x01\x0d\xb8\x12\x34\x56\x78\x9a\xbc\xde\xf0\x12\x34\x56\x78"s;
  v6.destination = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01"s;
  const Tuple longest{.source = "\xff\xff\xff\xfe"s,
                      .source_port = 65535,
                      .destination = "\xff\xff\xff\xfd"s,
                      .destination_port = 65534};
  const auto printer = MakeTextPrinter({.date = false});
  std::string out;
  Print(*printer, WithSource(Session(1, 1), "curl"), &out);
  Print(*printer, WithSource(End(1, 3, 0x1b), "curl"), &out);
  Print(*printer, WithDestination(End(0, 3, 0x16), "sshd"), &out);
  Print(*printer, WithSource(End(1, 3, 0x06, longest), "fifteen-letters", 4194304), &out);
  Print(*printer, WithSource(End(1, 3, 0x1b, v6), "curl"), &out);
  Print(*printer, End(0, 1, 0x02).Raw(kIana, 96, "postgres"), &out);
  EXPECT_EQ("\n" + out, R"(
TIME         EVENT  PROCESS             PID USER                     LOCAL    PEER                  DURATION     SENT RECEIVED REASON
09:26:52.345 start  curl               4711 alice           10.0.0.1:40000 -> 192.0.2.1:443                -        -        - -
09:26:53.579 end    curl               4711 alice           10.0.0.1:40000 -> 192.0.2.1:443             1.2s     1.2K      34M closed
09:26:53.579 end    sshd                812 root             192.0.2.1:443 <- 10.0.0.1:40000            1.2s      34M     1.2K reset
09:26:53.579 end    fifteen-letters 4194304 alice    255.255.255.254:65535 -> 255.255.255.253:65534     1.2s     1.2K      34M refused
09:26:53.579 end    curl               4711 alice    [2001:db8:1234:5678:9abc:def0:1234:5678]:40000 -> [2001:db8::1]:443 1.2s 1.2K 34M closed
09:26:53.579 end    postgres              - -                192.0.2.1:443 <- 10.0.0.1:40000            1.2s      34M     1.2K timeout
)");
}

// As records of our own elements tell it, under whatever number they came.
TEST_F(TextPrinterTest, ShowsUpdatesReasonsAndWhatWasThereBefore) {
  const auto printer = MakeTextPrinter({.date = false});
  std::string out;
  const auto own_end = [](std::string_view reason, uint64_t error) {
    return WithSource(End(1, 3, 0x16), "curl").Raw(ipfix::kOwn, 3, reason).Number(ipfix::kOwn, 4, error, 2);
  };
  Print(*printer, WithSource(Session(1, 1), "curl").Number(ipfix::kOwn, 11, 1, 1), &out);
  Print(*printer, WithSource(Session(1, 1), "curl").Number(ipfix::kOwn, 11, 2, 1), &out);
  Print(*printer,
        WithSource(Session(5, 1), "curl")
            .Number(kIana, 231, 999, 8)
            .Number(kIana, 232, 5'000'000'000, 8)
            .Number(kIana, 136, 2, 1)
            .Number(kIana, 6, 0x12, 1)
            .Raw(ipfix::kOwn, 3, "none"),
        &out);
  Print(*printer, own_end("remote-reset", 104), &out);
  Print(*printer, own_end("owner-killed", 0), &out);
  Print(*printer, own_end("\x1b[31m\nx", 0), &out);
  EXPECT_EQ("\n" + out, R"(
TIME         EVENT  PROCESS             PID USER                     LOCAL    PEER                  DURATION     SENT RECEIVED REASON
09:26:52.345 found  curl               4711 alice           10.0.0.1:40000 -> 192.0.2.1:443                -        -        - -
09:26:52.345 start  curl               4711 alice           10.0.0.1:40000 -> 192.0.2.1:443                -        -        - -
09:26:53.579 update curl               4711 alice           10.0.0.1:40000 -> 192.0.2.1:443             1.2s      999     5.0G -
09:26:53.579 end    curl               4711 alice           10.0.0.1:40000 -> 192.0.2.1:443             1.2s     1.2K      34M remote-reset (errno 104)
09:26:53.579 end    curl               4711 alice           10.0.0.1:40000 -> 192.0.2.1:443             1.2s     1.2K      34M owner-killed
09:26:53.579 end    curl               4711 alice           10.0.0.1:40000 -> 192.0.2.1:443             1.2s     1.2K      34M \x1b[31m\nx
)");
}

TEST_F(TextPrinterTest, ComesBackIntoStepAfterALongName) {
  const std::string line = Line(WithSource(End(1, 3, 0x1b), "curl", 4711, "svc-telemetry"));
  const std::string usual = Line(WithSource(End(1, 3, 0x1b), "curl"));
  EXPECT_THAT(line, HasSubstr("svc-telemetry"));
  EXPECT_EQ(line.find("->"), usual.find("->"));
  EXPECT_EQ(line.size(), usual.size());
}

TEST_F(TextPrinterTest, ShowsTheUserIdWhereThereIsNoName) {
  const RecordBuilder record =
      Session(1, 1).Number(kNtop, 168, 5, 4).Raw(kNtop, 169, "x").Number(kNtop, 425, 1000, 4);
  EXPECT_THAT(Line(record), HasSubstr(" 5 1000 "));
  EXPECT_THAT(Line(Session(1, 1).Number(kNtop, 425, 0, 4)), HasSubstr(" - 0 "));
  EXPECT_THAT(Line(Session(1, 1).Number(kNtop, 425, 0xffffffff, 4)), HasSubstr(" - - "));
}

TEST_F(TextPrinterTest, WritesLocalTimeAndDate) {
  SetZone("Asia/Kolkata");  // UTC+5:30, no summer time
  if (timezone == 0) GTEST_SKIP() << "no time zone data on this system";
  EXPECT_THAT(Line(Session(1, 1), {}), testing::StartsWith("2025-11-21 14:56:52.345 start "));
  EXPECT_THAT(Line(Session(2, 1), {.date = false}), testing::StartsWith("14:56:53.579 end "));
}

TEST_F(TextPrinterTest, RepeatsTheHeaderOnlyIfAsked) {
  const auto count = [](const TextStyle& style) {
    const auto printer = MakeTextPrinter(style);
    std::string out;
    for (int i = 0; i < 10; ++i) Print(*printer, Session(1, 1), &out);
    size_t headers = 0;
    for (size_t at = 0; (at = out.find("TIME ", at)) != std::string::npos; ++at) ++headers;
    return headers;
  };
  EXPECT_EQ(count({}), 1u);
  EXPECT_EQ(count({.header_every = 4}), 3u);
}

TEST_F(TextPrinterTest, ColoursStartsAndTrouble) {
  const TextStyle colour{.colour = true, .date = false};
  std::string start = Line(Session(1, 1));
  start.pop_back();
  EXPECT_EQ(Line(Session(1, 1), colour), "\033[32m" + start + "\033[0m\n");
  EXPECT_THAT(Line(End(1, 3, 0x06), colour), testing::StartsWith("\033[31m"));
  EXPECT_THAT(Line(End(1, 3, 0x1b), colour), testing::StartsWith("09:26:53"));
  EXPECT_THAT(Line(End(1, 3, 0x06)), Not(HasSubstr("\033")));
}

TEST_F(TextPrinterTest, ColoursOnlyTerminals) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const TextStyle style = TextStyleFor(ends[1]);
  EXPECT_FALSE(style.colour);
  EXPECT_TRUE(style.date);
  EXPECT_EQ(style.header_every, 0u);
  close(ends[0]);
  close(ends[1]);
}

TEST_F(TextPrinterTest, HonoursNoColorOnATerminal) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || isatty(terminal) == 0) GTEST_SKIP() << "no pseudo terminals here";
  unsetenv("NO_COLOR");
  setenv("TERM", "xterm", 1);
  EXPECT_TRUE(TextStyleFor(terminal).colour);
  EXPECT_FALSE(TextStyleFor(terminal).date);
  setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(TextStyleFor(terminal).colour);
  unsetenv("NO_COLOR");
  close(terminal);
}

TEST_F(TextPrinterTest, ShowsOtherRecordsFieldByField) {
  EXPECT_EQ(Line(RecordBuilder().Scopes(1).Number(kIana, 144, 9, 4).Number(kIana, 41, 5, 8)),
            "09:26:52.000 options exportingProcessId=9 exportedMessageTotalCount=5\n");
  EXPECT_EQ(Line(RecordBuilder()
                     .Scopes(2)
                     .Number(kIana, 346, 35632, 4)
                     .Number(kIana, 303, 168, 2)
                     .Raw(kIana, 341, "SRC_PROC_PID")),
            "")
      << "of a type, which is only for who reads the others";
  EXPECT_EQ(Line(RecordBuilder()
                     .Raw(kIana, 8, "\x0a\x00\x00\x01"s)
                     .Raw(kIana, 96, "a \"b\"\n")
                     .Raw(4242, 1, "\xff")),
            "09:26:52.000 record sourceIPv4Address=10.0.0.1 applicationName=\"a \\\"b\\\"\\n\" "
            "enterprise4242_id1=ff\n");
}

TEST_F(TextPrinterTest, NoStringReachesTheTerminalRaw) {
  for (const std::string& hostile :
       {"\x1b[2J\x1b]0;x\x07"s, "a\nb\rc"s, "\u202egnp"s, "\xc2\x9b" "31m"s, "\x9b" "31m"s, "\0x"s,
        "\u2028"s, "\xff\xfe"s}) {
    for (const RecordBuilder& record :
         {WithSource(Session(1, 1), hostile, 1, hostile), RecordBuilder().Raw(kIana, 96, hostile),
          WithDestination(End(0, 3, 1), hostile, 1, hostile)}) {
      const std::string line = Line(record);
      EXPECT_EQ(line.find('\n'), line.size() - 1);
      for (const char c : line.substr(0, line.size() - 1)) {
        EXPECT_GE(static_cast<uint8_t>(c), 0x20);
        EXPECT_NE(c, 0x7f);
      }
      EXPECT_THAT(line, Not(HasSubstr("\xc2\x9b")));
      EXPECT_THAT(line, Not(HasSubstr("\u202e")));
      EXPECT_NO_THROW((void)nlohmann::json(line).dump());  // valid UTF-8
    }
  }
}

TEST_F(TextPrinterTest, SurvivesSessionsWithValuesThatDoNotFit) {
  const RecordBuilder record = RecordBuilder()
                                   .Raw(kIana, 233, "")
                                   .Raw(kIana, 8, "\x01")
                                   .Raw(kIana, 12, "")
                                   .Raw(kIana, 7, "123456789")
                                   .Raw(kIana, 11, "")
                                   .Raw(kIana, 152, "\xff")
                                   .Raw(kNtop, 168, "123456789");
  EXPECT_THAT(Line(record), EndsWith(" -\n"));
  EXPECT_THAT(Line(record), HasSubstr("? -> ?"));
}

}  // namespace
}  // namespace sockflow::collector
