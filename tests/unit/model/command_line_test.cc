// SPDX-License-Identifier: MIT
#include "sockflow/command_line.h"

#include "gtest/gtest.h"

namespace sockflow {
namespace {

using namespace std::string_literals;

TEST(CommandLineTest, ArgumentsWithSpacesBetween) {
  EXPECT_EQ(CommandLineText("ls\0-l\0a b\0"s, false), "ls -l a b");
  EXPECT_EQ(CommandLineText("ls"s, false), "ls");
  EXPECT_EQ(CommandLineText("\0x\0"s, false), " x") << "an empty first argument";
  EXPECT_EQ(CommandLineText("", false), "");
  EXPECT_EQ(CommandLineText("nginx: worker\0\0\0\0"s, false), "nginx: worker");
  EXPECT_EQ(CommandLineText("a\nb\x1b[0m\xff\0"s, false), "a\nb\x1b[0m\xff");
}

TEST(CommandLineTest, CutOnesSaySoAndAreNoLonger) {
  EXPECT_EQ(CommandLineText("0123456789"s, true), "0123456...");
  EXPECT_EQ(CommandLineText("ab"s, true), "...");
  EXPECT_EQ(CommandLineText("", true), "...");
}

TEST(CommandLineTest, NoHalfCharacters) {
  const std::string euro = "\xE2\x82\xAC";
  EXPECT_EQ(CommandLineText("ab" + euro + "xyz", true), "ab" + euro + "...");
  EXPECT_EQ(CommandLineText("ab" + euro + "xy", true), "ab...");
  EXPECT_EQ(CommandLineText("ab" + euro + "x", true), "ab...");
  EXPECT_EQ(CommandLineText("ab" + euro, true), "ab...");
  EXPECT_EQ(CommandLineText(std::string(10, '\x80'), true), std::string(4, '\x80') + "...")
      << "no UTF-8: not eaten up";
}

}  // namespace
}  // namespace sockflow
