// SPDX-License-Identifier: MIT
#include "enrich/kubernetes/token_file.h"

#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/temporary_directory.h"

namespace sockflow::kubernetes {
namespace {

using ::testing::HasSubstr;

TEST(TokenFileTest, WhatCannotBeAHeaderIsRefused) {
  const TemporaryDirectory directory;
  const std::string file = directory.path() / "token";
  const auto read = [&](const std::string& text) {
    std::ofstream(file, std::ios::binary) << text;
    return ReadToken(file);
  };
  EXPECT_EQ(*read(" eyJhbGci.e30.c2ln\n"), "eyJhbGci.e30.c2ln");
  EXPECT_THAT(std::string(read("a\r\nX-Evil: 1").status().message()), HasSubstr("has blanks"));
  EXPECT_FALSE(read("\xc3\xa4").ok());
  EXPECT_FALSE(read("\n").ok());
  EXPECT_FALSE(read(std::string(20'000, 'a')).ok());
}

TEST(TokenFileTest, ErrorsNameFileAndKey) {
  const std::string message(ReadToken("/nonexistent/token").status().message());
  EXPECT_THAT(message, HasSubstr("/nonexistent/token"));
  EXPECT_THAT(message, HasSubstr("No such file"));
  EXPECT_THAT(message, HasSubstr("kubernetes.token_file"));
  EXPECT_FALSE(ReadToken("/").ok());
}

}  // namespace
}  // namespace sockflow::kubernetes
