// SPDX-License-Identifier: MIT
#include "collector/output.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/temporary_directory.h"

namespace sockflow::collector {
namespace {

using testing::HasSubstr;

class OutputTest : public testing::Test {
 protected:
  void SetUp() override {
    signal(SIGPIPE, SIG_IGN);
  }

  static std::string Contents(const std::filesystem::path& path) {
    std::stringstream contents;
    contents << std::ifstream(path).rdbuf();
    return contents.str();
  }

  TemporaryDirectory directory_;
};

TEST_F(OutputTest, AppendsAndKeepsOthersOut) {
  const std::string path = directory_ / "flows";
  for (const char* line : {"one\n", "two\n"}) {
    auto output = Output::Open(path);
    ASSERT_TRUE(output.ok()) << output.status();
    *(*output)->lines() += line;
    EXPECT_EQ((*output)->Write(), Output::Result::kDone);
    EXPECT_EQ((*output)->waiting(), 0u);
  }
  EXPECT_EQ(Contents(path), "one\ntwo\n");
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07, 0u);
}

TEST_F(OutputTest, SaysWhyAFileCannotBeOpened) {
  const auto missing = Output::Open(directory_ / "no/flows");
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("No such file"));
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("make its directory first"));
  const auto directory = Output::Open(directory_.path());
  EXPECT_THAT(std::string(directory.status().message()), HasSubstr("Is a directory"));
}

TEST_F(OutputTest, DropsAndCountsWhenTheDiskIsFull) {
  auto output = Output::Open("/dev/full");
  ASSERT_TRUE(output.ok()) << output.status();
  *(*output)->lines() += "one\ntwo\nthree\n";
  EXPECT_EQ((*output)->Write(), Output::Result::kRefused);
  EXPECT_EQ((*output)->lines_dropped(), 3u);
  EXPECT_EQ((*output)->waiting(), 0u);
  EXPECT_THAT((*output)->trouble(), HasSubstr("No space left on device; make room on the disk"));
}

// A file that may grow to a certain size only is cut in the middle of a line, as on a full disk.
TEST_F(OutputTest, FinishesALineThatWasBegun) {
  const std::string path = directory_ / "flows";
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto output = Output::Open(path);
  ASSERT_TRUE(output.ok()) << output.status();
  rlimit limit = before;
  limit.rlim_cur = 6;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  *(*output)->lines() += "one\ntwo\nthree\n";
  const Output::Result first = (*output)->Write();
  *(*output)->lines() += "four\n";
  const Output::Result second = (*output)->Write();
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(first, Output::Result::kRefused);
  EXPECT_EQ(second, Output::Result::kRefused);
  EXPECT_EQ(Contents(path), "one\ntw");
  *(*output)->lines() += "five\n";
  EXPECT_EQ((*output)->Write(), Output::Result::kDone);
  EXPECT_EQ(Contents(path), "one\ntwo\nfive\n");
  EXPECT_EQ((*output)->lines_dropped(), 2u);
}

TEST_F(OutputTest, NeverWaitsForAPipeThatIsFull) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Output output(ends[1], "pipe", true);
  std::string sent;
  for (int i = 0; i < 100'000; ++i) sent += std::to_string(i) + "\n";
  *output.lines() = sent;
  EXPECT_EQ(output.Write(), Output::Result::kBusy);
  EXPECT_GT(output.waiting(), 0u);
  EXPECT_LT(output.waiting(), sent.size());
  std::string read_back;
  char buffer[65536];
  while (read_back.size() < sent.size()) {
    const ssize_t octets = read(ends[0], buffer, sizeof(buffer));
    ASSERT_GT(octets, 0);
    read_back.append(buffer, static_cast<size_t>(octets));
    output.Write();
  }
  EXPECT_EQ(read_back, sent);
  EXPECT_EQ(output.lines_dropped(), 0u);
  close(ends[0]);
}

TEST_F(OutputTest, NoticesAReaderThatWentAway) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Output output(ends[1], "pipe", true);
  close(ends[0]);
  *output.lines() = "one\n";
  EXPECT_EQ(output.Write(), Output::Result::kClosed);
}

}  // namespace
}  // namespace sockflow::collector
