// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "enrich/process/executables.h"
#include "enrich/process/user_names.h"
#include "gtest/gtest.h"

namespace sockflow {
namespace {

namespace fs = std::filesystem;

class FixtureTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("sockflow-test-" + std::to_string(getpid()));
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  // A process as /proc shows it.
  void AddProcess(int pid, const std::string& exe, uint64_t start_ticks,
                  const std::string& name = "name") {
    const fs::path folder = root_ / std::to_string(pid);
    fs::create_directories(folder);
    fs::remove(folder / "exe");
    fs::create_symlink(exe, folder / "exe");
    std::ofstream(folder / "stat") << pid << " (" << name
                                   << ") S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 "
                                   << start_ticks << " 20 21\n";
  }

  fs::path root_;
};

using UserNamesTest = FixtureTest;
using ExecutablesTest = FixtureTest;

TEST_F(UserNamesTest, FirstNameOfAUidAndNumbersForTheUnknown) {
  const std::string file = root_ / "passwd";
  std::ofstream(file) << "root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\n"
                         "# no line\nweb:x:33:33::/:/bin/sh\n";
  UserNames names(file);
  EXPECT_EQ(names.NameOf(0), "root");
  EXPECT_EQ(names.NameOf(33), "web");
  EXPECT_EQ(names.NameOf(4711), "4711");
  EXPECT_EQ(names.NameOf(4294967295), "4294967295");
}

TEST_F(UserNamesTest, AChangedFileIsReadAgainButNotAllTheTime) {
  const std::string file = root_ / "passwd";
  std::ofstream(file) << "root:x:0:0:root:/root:/bin/sh\n";
  UserNames names(file);
  UserNames::Clock::time_point now{};
  EXPECT_EQ(names.NameOf(1000, now), "1000");
  std::ofstream(file, std::ios::app) << "ada:x:1000:1000::/:/bin/sh\n";
  fs::last_write_time(file, fs::file_time_type::clock::now() + std::chrono::seconds(5));
  EXPECT_EQ(names.NameOf(1000, now + std::chrono::milliseconds(999)), "1000");
  EXPECT_EQ(names.NameOf(1000, now + std::chrono::seconds(1)), "ada");
}

TEST_F(UserNamesTest, AMissingFileLeavesNumbers) {
  EXPECT_EQ(UserNames(root_ / "absent").NameOf(7), "7");
}

TEST_F(ExecutablesTest, PathIsCachedForOneLifeOfAPid) {
  const uint64_t tick = 1'000'000'000 / sysconf(_SC_CLK_TCK);
  AddProcess(10, "/usr/bin/curl", 500);
  Executables executables(root_);
  Process process{.pid = 10, .start_time = 500 * tick + 1, .name = TaskName("curl")};
  EXPECT_EQ(executables.PathOf(process), "/usr/bin/curl");
  AddProcess(10, "/usr/bin/changed", 500);
  EXPECT_EQ(executables.PathOf(process), "/usr/bin/curl") << "from the cache";
  EXPECT_EQ(executables.stats().hits, 1u);
  process.name = TaskName("changed");  // exec
  EXPECT_EQ(executables.PathOf(process), "/usr/bin/changed");
}

TEST_F(ExecutablesTest, AReusedPidDoesNotMislead) {
  const uint64_t tick = 1'000'000'000 / sysconf(_SC_CLK_TCK);
  AddProcess(10, "/usr/bin/other", 900);
  Executables executables(root_);
  EXPECT_EQ(executables.PathOf({.pid = 10, .start_time = 500 * tick}), "");
  EXPECT_EQ(executables.stats().unknown, 1u);
}

TEST_F(ExecutablesTest, HostileNamesInStatAndProcessesThatAreGone) {
  const uint64_t tick = 1'000'000'000 / sysconf(_SC_CLK_TCK);
  AddProcess(11, "/bin/x", 500, "a) S 1 (b c");
  Executables executables(root_);
  EXPECT_EQ(executables.PathOf({.pid = 11, .start_time = 500 * tick}), "/bin/x");
  EXPECT_EQ(executables.PathOf({.pid = 12, .start_time = 1}), "");
  std::ofstream(root_ / "11" / "stat") << "11 (x) S 1 2";
  EXPECT_EQ(executables.PathOf({.pid = 11, .start_time = 7}), "");
}

TEST_F(ExecutablesTest, Bounded) {
  Executables executables(root_, /*capacity=*/2);
  for (uint32_t pid = 100; pid < 200; ++pid) executables.PathOf({.pid = pid});
  AddProcess(199, "/late", 0);
  executables.PathOf({.pid = 199});
  EXPECT_EQ(executables.stats().hits, 1u);
  executables.PathOf({.pid = 100});
  EXPECT_EQ(executables.stats().misses, 101u);
}

TEST(ExecutablesOfThisHostTest, KnowsThisProcess) {
  Executables executables;
  const std::string own = fs::read_symlink("/proc/self/exe");
  EXPECT_EQ(executables.PathOf({.pid = static_cast<uint32_t>(getpid()), .start_time = 0}), own);
}

}  // namespace
}  // namespace sockflow
