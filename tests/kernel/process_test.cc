// SPDX-License-Identifier: MIT
// What the kernel half tells of the processes behind sessions: which program, from where, in which cgroup.
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "enrich/process/proc_files.h"
#include "fmt/format.h"
#include "tests/kernel/kernel_test.h"
#include "tests/unit/temporary_directory.h"

extern "C" const char connects_program[], connects_program_end[];

namespace sockflow::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::StartsWith;

void WriteProgram(int fd) {
  const ssize_t size = connects_program_end - connects_program;
  Require(write(fd, connects_program, size) == size, "write the program");
}

// A copy of connects.c's program.
std::string AddProgram(const fs::path& path) {
  fs::create_directories(path.parent_path());
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
  Require(fd >= 0, path.c_str());
  WriteProgram(fd);
  close(fd);
  return path;
}

int Execute(const std::string& program, const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  Require(false, program.c_str());
  return 1;
}

int ExecuteOpen(int fd, const std::string& port) {
  const char* argv[] = {"connects", port.c_str(), nullptr};
  const char* environment[] = {nullptr};
  syscall(SYS_execveat, fd, "", argv, environment, AT_EMPTY_PATH);
  Require(false, "execveat");
  return 1;
}

class ProcessTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (!IsSkipped()) listener_ = Listen(Family::kV4, &port_, 4096);
  }
  void TearDown() override {
    if (listener_ >= 0) close(listener_);
  }

  // Runs `body` in a process that connects once, and takes its session in only when the process is gone.
  ProcessDetail DetailAfter(const std::function<int()>& body) {
    Actor client("client", body);
    const pid_t pid = client.pid();
    EXPECT_EQ(client.Join(), 0);
    close(Accept(listener_));
    CollectEnds(port_, 2);
    const Session session = TheSession(port_, Direction::kActive);
    if (!session.process || session.process->detail == nullptr) {
      ADD_FAILURE() << "the process is not described";
      return {};
    }
    EXPECT_EQ(session.process->pid, static_cast<uint32_t>(pid));
    return *session.process->detail;
  }

  // Of the active sessions, in their order.
  std::vector<ProcessDetail> Details() {
    std::vector<ProcessDetail> details;
    for (const Record& record : Records(port_)) {
      const Session& session = record.session;
      if (session.direction != Direction::kActive || record.kind != SessionRecord::Kind::kStart) continue;
      const bool described = session.process && session.process->detail != nullptr;
      EXPECT_TRUE(described);
      details.push_back(described ? *session.process->detail : ProcessDetail{});
    }
    return details;
  }

  std::string port() const { return std::to_string(port_); }

  TemporaryDirectory directory_;
  uint16_t port_ = 0;
  int listener_ = -1;
};

TEST_F(ProcessTest, ExecutableOfAProcessThatIsGone) {
  const std::string program = AddProgram(directory_ / "connects");
  const ProcessDetail detail = DetailAfter([&] { return Execute(program, {"x", port()}); });
  EXPECT_EQ(detail.executable, program);
  EXPECT_EQ(detail.command_line, "") << "not asked for";
  EXPECT_THAT(detail.cgroup_path, StartsWith("/"));
}

TEST_F(ProcessTest, TheProgramThatConnectedNotTheNextOne) {
  // Of one name: nothing but exec tells them apart.
  const std::string first = AddProgram(directory_ / "first/program");
  const std::string second = AddProgram(directory_ / "second/program");
  Actor client("client",
               [&] { return Execute(first, {"program", port(), "then", second, port()}); });
  ASSERT_EQ(client.Join(), 0);
  close(Accept(listener_));
  close(Accept(listener_));
  CollectEnds(port_, 4);
  const std::vector<ProcessDetail> details = Details();
  ASSERT_EQ(details.size(), 2u);
  EXPECT_EQ(details[0].executable, first);
  EXPECT_EQ(details[1].executable, second);
  // Also at the end of the first session, which came after the exec.
  for (const Record& record : Records(port_)) {
    if (record.session.direction == Direction::kActive && record.session.id == Records(port_)[0].session.id) {
      EXPECT_EQ(record.session.process->detail->executable, first);
    }
  }
}

TEST_F(ProcessTest, ADeletedExecutable) {
  const std::string program = AddProgram(directory_ / "connects");
  const ProcessDetail detail = DetailAfter([&] {
    const int fd = open(program.c_str(), O_RDONLY | O_CLOEXEC);
    unlink(program.c_str());
    return ExecuteOpen(fd, port());
  });
  EXPECT_EQ(detail.executable, program + " (deleted)");
}

TEST_F(ProcessTest, AnExecutableInMemory) {
  const ProcessDetail detail = DetailAfter([&] {
    const int fd = memfd_create("hidden", MFD_CLOEXEC);
    WriteProgram(fd);
    // Not while it is open for writing (ETXTBSY).
    const int readable = open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_RDONLY | O_CLOEXEC);
    close(fd);
    return ExecuteOpen(readable, port());
  });
  EXPECT_EQ(detail.executable, "/memfd:hidden (deleted)");
}

TEST_F(ProcessTest, ALongPath) {
  fs::path path = directory_.path() / std::string(255, 'n');
  path /= std::string(255, 'm');
  const std::string program = AddProgram(path / "connects");
  const ProcessDetail detail = DetailAfter([&] { return Execute(program, {"x", port()}); });
  EXPECT_EQ(detail.executable, program);
}

TEST_F(ProcessTest, APathThatIsTooLongKeepsItsEnd) {
  fs::path path = directory_.path();
  for (int i = 0; i < 10; ++i) path /= std::string(200, static_cast<char>('a' + i));
  const std::string program = AddProgram(path / "connects");
  const ProcessDetail detail = DetailAfter([&] { return Execute(program, {"x", port()}); });
  ASSERT_THAT(detail.executable, StartsWith(".../"));
  EXPECT_GT(detail.executable.size(), 768u);
  EXPECT_THAT(program, EndsWith(detail.executable.substr(3)));
}

TEST_F(ProcessTest, APathOfVeryManyDirectories) {
  fs::path path = directory_.path();
  for (int i = 0; i < 100; ++i) path /= "d";
  const std::string program = AddProgram(path / "connects");
  const ProcessDetail detail = DetailAfter([&] { return Execute(program, {"x", port()}); });
  ASSERT_THAT(detail.executable, StartsWith(".../d/"));
  EXPECT_THAT(program, EndsWith(detail.executable.substr(3)));
}

TEST_F(ProcessTest, AcrossMountsOfItsOwnNamespace) {
  const fs::path mounted = directory_.path() / "mounted", source = directory_.path() / "source";
  fs::create_directories(mounted);
  AddProgram(source / "bin/connects");
  const ProcessDetail detail = DetailAfter([&] {
    Require(unshare(CLONE_NEWNS) == 0, "unshare(CLONE_NEWNS)");
    Require(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "make / private");
    Require(mount("none", mounted.c_str(), "tmpfs", 0, nullptr) == 0, "mount tmpfs");
    const fs::path bound = mounted / "bound";
    fs::create_directories(bound);
    Require(mount(source.c_str(), bound.c_str(), nullptr, MS_BIND, nullptr) == 0, "bind mount");
    return Execute(bound / "bin/connects", {"x", port()});
  });
  EXPECT_EQ(detail.executable, mounted / "bound/bin/connects");
}

TEST_F(ProcessTest, ThreadsAreTheirProcess) {
  Actor client("client", [this] {
    for (int i = 0; i < 3; ++i) {
      std::thread([this] {
        NameProcess("thread");
        close(Connect(Family::kV4, port_));
      }).join();
    }
    return 0;
  });
  for (int i = 0; i < 3; ++i) close(Accept(listener_));
  ASSERT_EQ(client.Join(), 0);
  CollectEnds(port_, 6);
  const std::vector<ProcessDetail> details = Details();
  ASSERT_EQ(details.size(), 3u);
  for (const ProcessDetail& detail : details) {
    EXPECT_EQ(detail.executable, fs::read_symlink("/proc/self/exe"));
  }
}

TEST_F(ProcessTest, WhoAccepts) {
  const std::string program = AddProgram(directory_ / "connects");
  Actor client("client", [&] { return Execute(program, {"x", port()}); });
  ASSERT_EQ(client.Join(), 0);
  const int accepted = Accept(listener_);
  ReceiveToEnd(accepted);
  close(accepted);
  CollectEnds(port_, 2);
  const Session session = TheSession(port_, Direction::kPassive);
  ASSERT_TRUE(session.process && session.process->detail != nullptr);
  EXPECT_EQ(session.process->detail->executable, fs::read_symlink("/proc/self/exe"));
}

TEST_F(ProcessTest, CommandLine) {
  Attach({.command_line_octets = 64});
  const std::string program = AddProgram(directory_ / "connects");
  const ProcessDetail detail = DetailAfter(
      [&] { return Execute(program, {"name", port(), "a\nb", "", "two words", "\xff\x1b[1m"}); });
  EXPECT_EQ(detail.command_line, fmt::format("name {} a\nb  two words \xff\x1b[1m", port_));
}

TEST_F(ProcessTest, ALongCommandLineIsCut) {
  Attach({.command_line_octets = 64});
  const std::string program = AddProgram(directory_ / "connects");
  const ProcessDetail detail =
      DetailAfter([&] { return Execute(program, {"name", port(), std::string(100'000, 'x')}); });
  const std::string start = fmt::format("name {} ", port_);
  EXPECT_EQ(detail.command_line, start + std::string(64 - start.size() - 3, 'x') + "...");
}

// A cgroup v2 of a test's own, through a mount of its own.
class CgroupTest : public ProcessTest {
 protected:
  void SetUp() override {
    ProcessTest::SetUp();
    if (IsSkipped()) return;
    root_ = directory_.path() / "cgroup2";
    fs::create_directories(root_);
    if (mount("none", root_.c_str(), "cgroup2", 0, nullptr) != 0) {
      GTEST_SKIP() << "cgroup v2 cannot be mounted: " << strerror(errno);
    }
    mounted_ = true;
    name_ = fmt::format("sockflow-test-{}", getpid());
    for (const char* cgroup : {"outer", "other"}) fs::create_directories(root_ / name_ / cgroup);
    fs::create_directories(root_ / name_ / "outer" / "inner.scope");
  }
  void TearDown() override {
    if (mounted_) {
      RemoveCgroups();
      umount2(root_.c_str(), MNT_DETACH);
    }
    ProcessTest::TearDown();
  }

  void RemoveCgroups() {
    for (const char* cgroup : {"outer/inner.scope", "outer", "other", ""}) {
      rmdir((root_ / name_ / cgroup).c_str());
    }
  }
  // Of the calling process.
  void MoveTo(const std::string& cgroup) {
    std::ofstream file(root_ / name_ / cgroup / "cgroup.procs");
    file << getpid() << std::flush;
    Require(file.good(), "cgroup.procs");
  }

  bool mounted_ = false;
  fs::path root_;
  std::string name_;
};

TEST_F(CgroupTest, PathOfACgroupThatIsGone) {
  Actor client("client", [this] {
    MoveTo("outer/inner.scope");
    close(Connect(Family::kV4, port_));
    return 0;
  });
  ASSERT_EQ(client.Join(), 0);
  RemoveCgroups();
  close(Accept(listener_));
  CollectEnds(port_, 2);
  const std::vector<ProcessDetail> details = Details();
  ASSERT_EQ(details.size(), 1u);
  // The mount shows less if this runs in a cgroup namespace.
  EXPECT_THAT(details[0].cgroup_path, EndsWith("/" + name_ + "/outer/inner.scope"));
}

TEST_F(CgroupTest, AProcessThatMovesIsDescribedAnew) {
  Actor client("client", [this] {
    MoveTo("outer/inner.scope");
    close(Connect(Family::kV4, port_));
    MoveTo("other");
    close(Connect(Family::kV4, port_));
    return 0;
  });
  ASSERT_EQ(client.Join(), 0);
  close(Accept(listener_));
  close(Accept(listener_));
  CollectEnds(port_, 4);
  const std::vector<ProcessDetail> details = Details();
  ASSERT_EQ(details.size(), 2u);
  EXPECT_THAT(details[0].cgroup_path, EndsWith("/outer/inner.scope"));
  EXPECT_THAT(details[1].cgroup_path, EndsWith("/" + name_ + "/other"));
}

// Natively more processes than the kernel half remembers to have described; under emulation as many as time
// allows.
TEST_F(ProcessTest, ProcessesOfAMillisecondHaveTheirExecutable) {
  constexpr int kProcesses = 6000;
  constexpr auto kLongest = std::chrono::seconds(10), kPatience = std::chrono::seconds(3);
  constexpr int kSlow = 500;
  using Clock = std::chrono::steady_clock;
  const std::string program = AddProgram(directory_ / "connects");
  Actor server("server", [this] {
    for (;;) close(Accept(listener_));
    return 0;
  });
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  const auto begin = Clock::now();
  const auto spawn = [&, this] {
    const std::string port_text = port();
    char* const argv[] = {const_cast<char*>("connects"), const_cast<char*>(port_text.c_str()), nullptr};
    char* const environment[] = {nullptr};
    int spawned = 0;
    for (; spawned < kProcesses / 2; ++spawned) {
      if (Clock::now() - begin > (spawned < kSlow ? kPatience : kLongest)) break;
      pid_t pid;
      int status;
      Require(posix_spawn(&pid, program.c_str(), nullptr, nullptr, argv, environment) == 0, "spawn");
      Require(waitpid(pid, &status, 0) == pid && status == 0, "the program's end");
    }
    Require(write(report[1], &spawned, sizeof(spawned)) == sizeof(spawned), "report");
    return 0;
  };
  Actor first("spawner", spawn), second("spawner", spawn);
  // As the agent does it: /proc is asked as soon as an event is there.
  ProcFiles proc({});
  int sessions = 0, by_kernel = 0, by_proc = 0, wrong = 0;
  auto last = begin;
  const auto count = [&](const SessionEvent& event) {
    if (event.kind != SessionEvent::Kind::kConnect || event.remote.port != port_) return;
    ++sessions;
    last = Clock::now();
    if (!event.process) return;
    if (event.process->detail != nullptr) {
      ++(event.process->detail->executable == program ? by_kernel : wrong);
    }
    by_proc += proc.Of(*event.process).executable == program;
  };
  while (sessions < kProcesses && Clock::now() - std::max(last, begin + kPatience) < std::chrono::seconds(2)) {
    ASSERT_TRUE(source_->Poll(std::chrono::milliseconds(20), count).ok());
  }
  ASSERT_EQ(first.Join(), 0);
  ASSERT_EQ(second.Join(), 0);
  int spawned[2];
  ASSERT_EQ(read(report[0], spawned, sizeof(spawned)), static_cast<ssize_t>(sizeof(spawned)));
  for (const int end : report) close(end);
  const int processes = spawned[0] + spawned[1];
  printf("%d processes, %.0f a second: executable known of %.2f %% by the kernel half, of %.2f %% by "
         "/proc alone\n",
         processes, sessions / std::chrono::duration<double>(last - begin).count(),
         100.0 * by_kernel / processes, 100.0 * by_proc / processes);
  EXPECT_EQ(wrong, 0);
  EXPECT_GE(by_kernel, processes * 99 / 100);
  EXPECT_EQ(Lost("ring_buffer_full_process"), 0u);
}

}  // namespace
}  // namespace sockflow::testing
