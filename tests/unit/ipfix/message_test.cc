// SPDX-License-Identifier: MIT
#include "sockflow/ipfix/message.h"

#include <chrono>

#include "gtest/gtest.h"
#include "ipfix/wire.h"

namespace sockflow::ipfix {
namespace {

constexpr Time kNow = Time(std::chrono::milliseconds(1'700'000'000'900));

std::vector<uint8_t> MessageOf(uint32_t domain) {
  std::vector<uint8_t> message(kMessageHeaderOctets);
  StoreBigEndian<4>(domain, &message[12]);
  return message;
}

uint32_t Stamped(SequenceNumbers& numbers, uint32_t domain, uint32_t records) {
  std::vector<uint8_t> message = MessageOf(domain);
  numbers.Stamp(message, records, kNow);
  EXPECT_EQ(Load32(&message[4]), 1'700'000'000u);  // rounded down, never into the future
  return Load32(&message[8]);
}

TEST(SequenceNumbersTest, CountsDataRecordsForEachDomain) {
  SequenceNumbers numbers;
  EXPECT_EQ(Stamped(numbers, 1, 5), 0u);
  EXPECT_EQ(Stamped(numbers, 0, 2), 0u);
  EXPECT_EQ(Stamped(numbers, 1, 0), 5u);
  EXPECT_EQ(Stamped(numbers, 1, 3), 5u);
  EXPECT_EQ(Stamped(numbers, 0, 1), 2u);
  EXPECT_EQ(Stamped(numbers, 1, 1), 8u);
}

TEST(SequenceNumbersTest, LostRecordsLeaveAGap) {
  SequenceNumbers numbers;
  numbers.Skip(1, 7);
  EXPECT_EQ(Stamped(numbers, 1, 1), 7u);
  numbers.Skip(1, 2);
  EXPECT_EQ(Stamped(numbers, 1, 1), 10u);
  EXPECT_EQ(Stamped(numbers, 2, 1), 0u);
}

TEST(SequenceNumbersTest, AStampIsTakenBack) {
  SequenceNumbers numbers(0xFFFF'FFFF);
  EXPECT_EQ(Stamped(numbers, 1, 3), 0xFFFF'FFFFu);
  numbers.Unstamp(MessageOf(1), 3);
  EXPECT_EQ(Stamped(numbers, 1, 3), 0xFFFF'FFFFu);
  EXPECT_EQ(Stamped(numbers, 1, 1), 2u);
}

TEST(SequenceNumbersTest, WrapsAround) {
  SequenceNumbers numbers(0xFFFF'FFFE);
  EXPECT_EQ(Stamped(numbers, 1, 3), 0xFFFF'FFFEu);
  EXPECT_EQ(Stamped(numbers, 1, 1), 1u);
}

TEST(SequenceNumbersTest, RestartsWithATransportSession) {
  SequenceNumbers numbers(100);
  EXPECT_EQ(Stamped(numbers, 1, 5), 100u);
  numbers.Restart();
  EXPECT_EQ(Stamped(numbers, 1, 5), 100u);
}

TEST(SequenceNumbersTest, LeavesWhatIsNoMessageAlone) {
  SequenceNumbers numbers;
  std::vector<uint8_t> short_one(kMessageHeaderOctets - 1, 0xAA);
  numbers.Stamp(short_one, 1, kNow);
  EXPECT_EQ(short_one, std::vector<uint8_t>(kMessageHeaderOctets - 1, 0xAA));
}

}  // namespace
}  // namespace sockflow::ipfix
