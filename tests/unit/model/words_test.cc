// SPDX-License-Identifier: MIT
#include "sockflow/words.h"

#include <array>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sockflow {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kWords = std::to_array<std::string_view>({
    "sourceIPv4Address", "sourceIPv6Address", "max_message_bytes", "flowId", "SRC_PROC_PID"});

TEST(WordsTest, NearestFirst) {
  EXPECT_THAT(NearestWords("sourceIPv6Adress", kWords, 3),
              ElementsAre("sourceIPv6Address", "sourceIPv4Address"));
  EXPECT_THAT(NearestWords("sourceIPv6Adress", kWords, 1), ElementsAre("sourceIPv6Address"));
  EXPECT_THAT(NearestWords("sourceIPv5Address", kWords, 3),
              ElementsAre("sourceIPv4Address", "sourceIPv6Address"));
}

TEST(WordsTest, CaseAndHyphensDoNotMatter) {
  EXPECT_THAT(NearestWords("FLOWID", kWords, 3), ElementsAre("flowId"));
  EXPECT_THAT(NearestWords("max-message-bytes", kWords, 3), ElementsAre("max_message_bytes"));
}

TEST(WordsTest, WhatIsFarIsNotMeant) {
  EXPECT_THAT(NearestWords("profile", kWords, 3), IsEmpty());
  EXPECT_THAT(NearestWords("", kWords, 3), IsEmpty());
  EXPECT_THAT(NearestWords(std::string(1'000'000, 'x'), kWords, 3), IsEmpty());
  EXPECT_THAT(NearestWords("flowId", {}, 3), IsEmpty());
}

TEST(WordsTest, ListsForPeople) {
  EXPECT_EQ(ListOf({}), "");
  EXPECT_EQ(ListOf(std::array<std::string_view, 1>{"a"}), "a");
  EXPECT_EQ(ListOf(std::array<std::string_view, 2>{"a", "b"}), "a or b");
  EXPECT_EQ(ListOf(std::array<std::string_view, 3>{"a", "b", "c"}), "a, b or c");
}

}  // namespace
}  // namespace sockflow
