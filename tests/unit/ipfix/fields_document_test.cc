// SPDX-License-Identifier: MIT
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sockflow/ipfix/template.h"

namespace sockflow::ipfix {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kBegin = "<!-- generated -->\n", kEnd = "<!-- end -->";

TEST(FieldsDocumentTest, HasWhatTheProgramPrints) {
  const char* const path = SOCKFLOW_FIELDS_DOCUMENT;
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const size_t begin = text.find(kBegin) + kBegin.size(), end = text.find(kEnd, begin);
  ASSERT_NE(end, std::string::npos) << path;
  const std::string tables = ListFields(std::nullopt, ListFormat::kMarkdown);
  if (std::getenv("SOCKFLOW_WRITE_FIELDS") != nullptr) {
    std::ofstream(path) << text.substr(0, begin) << tables << text.substr(end);
    return;
  }
  EXPECT_EQ(text.substr(begin, end - begin), tables)
      << "to write it anew: SOCKFLOW_WRITE_FIELDS=1 ipfix_test --gtest_filter='FieldsDocumentTest.*'";
}

TEST(FieldsDocumentTest, SaysWhatElementsHoldWhen) {
  const std::string tables = ListFields(std::nullopt, ListFormat::kMarkdown);
  EXPECT_THAT(tables, HasSubstr("| octetDeltaCount | 0/1 | unsigned64 | octets | deltaCounter | process, iana, "
                                "fixed, full | - | since the record before | since the record before |"));
  EXPECT_THAT(tables, HasSubstr("| octetTotalCount | 0/85 | unsigned64 | octets | totalCounter | full | - | all "
                                "so far | all |"));
  EXPECT_THAT(tables, HasSubstr("| sessionPreExisting | own/11 | boolean | - | default | full + pen | yes |"));
  EXPECT_THAT(tables, HasSubstr("| flowStartNanoseconds | 0/156 | dateTimeNanoseconds | nanoseconds | default "
                                "| lists only | yes |"));
  EXPECT_THAT(tables, HasSubstr("\n| 315 | process-end-ipv4-active | process | update, end | 32 |\n"));
  EXPECT_THAT(tables, HasSubstr("\n| 256 | ssflow | ssflow | start, end | 8 |\n"));
}

}  // namespace
}  // namespace sockflow::ipfix
