// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <filesystem>
#include <string>

#include "enrich/process/proc_files.h"
#include "enrich/process/process_enricher.h"
#include "gtest/gtest.h"
#include "tests/unit/enrich/proc_fixture.h"

namespace sockflow {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

class FixtureTest : public ::testing::Test {
 protected:
  void AddProcess(int pid, const std::string& exe, uint64_t start_ticks, const std::string& name = "name") {
    proc_.Add(pid, start_ticks, name);
    fs::remove(proc_.Folder(pid) + "/exe");
    fs::create_symlink(exe, proc_.Folder(pid) + "/exe");
  }

  void SetCommandLine(int pid, const std::string& arguments) {
    proc_.Write(std::to_string(pid) + "/cmdline", arguments);
  }

  Session SessionOf(const Process& process) {
    Session session;
    session.process = process;
    return session;
  }

  const uint64_t tick = ProcFixture::TickNs();

  ProcFixture proc_;
  const std::string root_ = proc_.path();
};

using ProcFilesTest = FixtureTest;
using ProcessEnricherTest = FixtureTest;

TEST_F(ProcFilesTest, PathIsCachedForOneLifeOfAPid) {
  AddProcess(10, "/usr/bin/curl", 500);
  ProcFiles files({.proc = root_});
  Process process{.pid = 10, .start_time = 500 * tick + 1, .name = TaskName("curl")};
  EXPECT_EQ(files.Of(process).executable, "/usr/bin/curl");
  AddProcess(10, "/usr/bin/changed", 500);
  EXPECT_EQ(files.Of(process).executable, "/usr/bin/curl") << "from the cache";
  EXPECT_EQ(files.stats().hits, 1u);
  process.name = TaskName("changed");  // exec
  EXPECT_EQ(files.Of(process).executable, "/usr/bin/changed");
}

TEST_F(ProcFilesTest, AReusedPidDoesNotMislead) {
  AddProcess(10, "/usr/bin/other", 900);
  ProcFiles files({.proc = root_});
  EXPECT_EQ(files.Of({.pid = 10, .start_time = 500 * tick}).executable, "");
  EXPECT_EQ(files.stats().unknown, 1u);
}

TEST_F(ProcFilesTest, HostileNamesInStatAndProcessesThatAreGone) {
  AddProcess(11, "/bin/x", 500, "a) S 1 (b c");
  ProcFiles files({.proc = root_});
  EXPECT_EQ(files.Of({.pid = 11, .start_time = 500 * tick}).executable, "/bin/x");
  EXPECT_EQ(files.Of({.pid = 12, .start_time = 1}).executable, "");
  proc_.Write("11/stat", "11 (x) S 1 2");
  EXPECT_EQ(files.Of({.pid = 11, .start_time = 7}).executable, "");
}

TEST_F(ProcFilesTest, Bounded) {
  ProcFiles files({.proc = root_, .capacity = 2});
  for (uint32_t pid = 100; pid < 200; ++pid) files.Of({.pid = pid});
  AddProcess(199, "/late", 0);
  files.Of({.pid = 199});
  EXPECT_EQ(files.stats().hits, 1u);
  files.Of({.pid = 100});
  EXPECT_EQ(files.stats().misses, 101u);
}

TEST_F(ProcFilesTest, CommandLineIsReadUpToItsLimit) {
  AddProcess(10, "/usr/bin/curl", 500);
  SetCommandLine(10, "curl\0-u\0me:secret\n\0"s);
  const Process process{.pid = 10, .start_time = 500 * tick};
  EXPECT_EQ(ProcFiles({.proc = root_}).Of(process).command_line, "") << "not asked for";
  EXPECT_EQ(ProcFiles({.proc = root_, .command_line_octets = 256}).Of(process).command_line,
            "curl -u me:secret\n");
  SetCommandLine(10, "curl\0"s + std::string(2 << 20, 'x') + "\0"s);
  EXPECT_EQ(ProcFiles({.proc = root_, .command_line_octets = 16}).Of(process).command_line,
            "curl xxxxxxxx...");
  SetCommandLine(10, "0123456789abcde\0"s);
  EXPECT_EQ(ProcFiles({.proc = root_, .command_line_octets = 16}).Of(process).command_line,
            "0123456789abcde");
}

TEST_F(ProcFilesTest, HiddenOrNotMountedItIsEmptyAndCounted) {
  ProcFiles files({.proc = root_ + "/absent", .command_line_octets = 64});
  const ProcFiles::Facts facts = files.Of({.pid = 1, .start_time = 1});
  EXPECT_EQ(facts.executable, "");
  EXPECT_EQ(facts.command_line, "");
  EXPECT_EQ(files.stats().unknown, 1u);
}

TEST_F(ProcessEnricherTest, WhatTheSourceToldGoesBeforeProc) {
  AddProcess(10, "/usr/bin/now", 500);
  SetCommandLine(10, "now\0"s);
  ProcessEnricher enricher({.proc = root_, .command_line_octets = 64});
  Process process{.pid = 10, .start_time = 500 * tick};
  Session session = SessionOf(process);
  enricher.Enrich(session);
  EXPECT_EQ(session.executable, "/usr/bin/now");
  EXPECT_EQ(session.command_line, "now");

  process.detail = std::make_shared<ProcessDetail>(
      ProcessDetail{.executable = "/usr/bin/then", .command_line = "then -x", .cgroup_path = "/"});
  session = SessionOf(process);
  enricher.Enrich(session);
  EXPECT_EQ(session.executable, "/usr/bin/then");
  EXPECT_EQ(session.command_line, "then -x");
}

TEST_F(ProcessEnricherTest, ACommandLineOfAnotherProgramIsNotTaken) {
  AddProcess(10, "/usr/bin/now", 500);
  SetCommandLine(10, "now\0"s);
  ProcessEnricher enricher({.proc = root_, .command_line_octets = 64});
  Process process{.pid = 10, .start_time = 500 * tick};
  const auto command_line_of = [&](const std::string& executable) {
    process.detail = std::make_shared<ProcessDetail>(
        ProcessDetail{.executable = executable, .command_line = "", .cgroup_path = "/"});
    Session session = SessionOf(process);
    enricher.Enrich(session);
    return session.command_line;
  };
  EXPECT_EQ(command_line_of("/usr/bin/then"), "");
  EXPECT_EQ(command_line_of("/usr/bin/now"), "now") << "its pages were not in memory";
  EXPECT_EQ(command_line_of(""), "") << "a kernel thread";
}

TEST_F(ProcessEnricherTest, APathThatWasCutIsMadeWholeIfProcStillHasIt) {
  AddProcess(10, "/very/long/way/to/program", 500);
  ProcessEnricher enricher({.proc = root_});
  Process process{.pid = 10, .start_time = 500 * tick};
  const auto executable_of = [&](const std::string& told) {
    process.detail = std::make_shared<ProcessDetail>(
        ProcessDetail{.executable = told, .command_line = "", .cgroup_path = "/"});
    Session session = SessionOf(process);
    enricher.Enrich(session);
    return session.executable;
  };
  EXPECT_EQ(executable_of(".../way/to/program"), "/very/long/way/to/program");
  EXPECT_EQ(executable_of(".../way/to/another"), ".../way/to/another");
  process.pid = 11;
  EXPECT_EQ(executable_of(".../way/to/program"), ".../way/to/program");
}

TEST_F(ProcessEnricherTest, CommandLinesOnlyIfAskedFor) {
  AddProcess(10, "/usr/bin/now", 500);
  SetCommandLine(10, "now\0"s);
  ProcessEnricher enricher({.proc = root_});
  Session session = SessionOf({.pid = 10, .start_time = 500 * tick});
  enricher.Enrich(session);
  EXPECT_EQ(session.command_line, "");
}

TEST_F(ProcessEnricherTest, WhatProcDoesNotTellIsALoss) {
  ProcessEnricher enricher({.proc = root_ + "/absent"});
  Session session = SessionOf({.pid = 10, .start_time = 500 * tick});
  enricher.Enrich(session);
  EXPECT_EQ(session.executable, "");
  ASSERT_EQ(enricher.missing().size(), 1u);
  EXPECT_EQ(enricher.missing()[0].reason, "process_not_in_proc");
  EXPECT_EQ(enricher.missing()[0].count, 1u);
  // The source says that there is none: nothing is missing.
  Process kernel_thread{.pid = 2, .start_time = tick};
  kernel_thread.detail = std::make_shared<ProcessDetail>();
  session = SessionOf(kernel_thread);
  enricher.Enrich(session);
  EXPECT_EQ(enricher.missing()[0].count, 1u);
}

TEST(ProcFilesOfThisHostTest, KnowsThisProcess) {
  ProcFiles files({});
  const std::string own = fs::read_symlink("/proc/self/exe");
  EXPECT_EQ(files.Of({.pid = static_cast<uint32_t>(getpid()), .start_time = 0}).executable, own);
}

}  // namespace
}  // namespace sockflow
