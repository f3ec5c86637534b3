// SPDX-License-Identifier: MIT
#include "collector/session_words.h"

#include <string>

#include "gtest/gtest.h"

namespace sockflow::collector {
namespace {

TEST(SessionWordsTest, NamesTheEvents) {
  EXPECT_EQ(EventWord(1), "start");
  EXPECT_EQ(EventWord(2), "end");
  EXPECT_EQ(EventWord(3), "denied");
  EXPECT_EQ(EventWord(4), "alert");
  EXPECT_EQ(EventWord(5), "update");
  EXPECT_EQ(EventWord(0), "");
  EXPECT_EQ(EventWord(77), "");
}

TEST(SessionWordsTest, DerivesTheReason) {
  constexpr uint64_t kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16;
  const struct {
    uint64_t event, end_reason, bits;
    std::string_view word;
    uint64_t initiator_packets = 0;
  } rows[] = {
      {2, 3, kSyn | kAck | kPsh | kFin, "closed"},
      {2, 3, kSyn | kAck | kRst, "reset"},
      {2, 3, kSyn | kAck | kFin | kRst, "reset"},
      {2, 3, kSyn | kRst, "refused"},
      {2, 3, kRst, "refused"},
      {2, 3, kSyn | kRst | kAck, "refused", 1},
      {2, 3, kSyn | kRst | kAck, "reset", 2},
      {2, 1, kSyn, "timeout"},
      {2, 1, kSyn | kAck, "timeout"},
      {2, 4, kSyn, "forced"},
      {2, 4, kSyn | kAck | kFin, "forced"},
      {2, 4, kSyn | kAck | kRst, "reset"},
      {2, 5, kSyn | kAck, "evicted"},
      {2, 3, kSyn | kAck, "ended"},
      {2, 3, kSyn, "failed"},
      {2, 0, 0, "ended"},
      {2, 0, kFin, "closed"},
      {1, 0, 0, "-"},
      {1, 3, kFin, "-"},
      {5, 2, kSyn | kAck, "-"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(ReasonWord(row.event, row.end_reason, row.bits, row.initiator_packets), row.word)
        << row.event << " " << row.end_reason << " " << row.bits;
  }
  for (const std::string_view word : {"reset", "refused", "failed", "timeout", "evicted"}) {
    EXPECT_TRUE(IsTrouble(word)) << word;
  }
  for (const std::string_view word : {"closed", "forced", "ended", "-"}) {
    EXPECT_FALSE(IsTrouble(word)) << word;
  }
}

std::string Count(uint64_t count) {
  char out[kMaxWordOctets];
  return {out, WriteCount(count, out)};
}

TEST(SessionWordsTest, WritesCountsForPeople) {
  EXPECT_EQ(Count(0), "0");
  EXPECT_EQ(Count(999), "999");
  EXPECT_EQ(Count(1000), "1.0K");
  EXPECT_EQ(Count(1249), "1.2K");
  EXPECT_EQ(Count(1250), "1.3K");
  EXPECT_EQ(Count(9'949), "9.9K");
  EXPECT_EQ(Count(9'950), "10K");
  EXPECT_EQ(Count(34'000'000), "34M");
  EXPECT_EQ(Count(999'449), "999K");
  EXPECT_EQ(Count(999'450), "1.0M");
  EXPECT_EQ(Count(999'999), "1.0M");
  EXPECT_EQ(Count(340'000'000'000), "340G");
  EXPECT_EQ(Count(UINT64_MAX), "18E");
}

std::string Span(uint64_t milliseconds) {
  char out[kMaxWordOctets];
  return {out, WriteSpan(milliseconds, out)};
}

TEST(SessionWordsTest, WritesSpansForPeople) {
  EXPECT_EQ(Span(0), "<1ms");
  EXPECT_EQ(Span(1), "1ms");
  EXPECT_EQ(Span(999), "999ms");
  EXPECT_EQ(Span(1000), "1.0s");
  EXPECT_EQ(Span(59'999), "59.9s");
  EXPECT_EQ(Span(60'000), "1m00s");
  EXPECT_EQ(Span(3'599'000), "59m59s");
  EXPECT_EQ(Span(3'600'000), "1h00m");
  EXPECT_EQ(Span(86'399'999), "23h59m");
  EXPECT_EQ(Span(86'400'000), "1d00h");
  EXPECT_EQ(Span(UINT64_MAX), "213503982334d14h");
}

}  // namespace
}  // namespace sockflow::collector
