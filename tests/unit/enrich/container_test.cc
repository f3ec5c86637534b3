// SPDX-License-Identifier: MIT
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "enrich/container/container_enricher.h"
#include "gtest/gtest.h"
#include "tests/unit/enrich/proc_fixture.h"

namespace sockflow {
namespace {

#define ID_A "34dc0b5e626f2c5c4c5170e34b10e7654ce36f0fcd532739f4445baabea03376"
#define ID_B "d166c6190614efc91956b78e96d74c3fbc96ca8e91948c36de3bc5b0e7b27d48"

constexpr char kUnified[] = "0::/\n";
constexpr char kHybrid[] = "2:memory:/\n1:name=systemd:/\n0::/\n";
constexpr char kV1[] = "2:memory:/\n1:name=systemd:/\n";

class ContainerTest : public ::testing::Test {
 protected:
  // `own`: the agent's own /proc/PID/cgroup, which tells what the host has.
  ContainerEnricher& Start(const std::string& own, size_t capacity = 4096) {
    proc_.Write("self/cgroup", own);
    enricher_ = std::make_unique<ContainerEnricher>(proc_.path(), capacity);
    return *enricher_;
  }
  void Run(int pid, const std::string& cgroups, uint64_t start_ticks = 500) {
    proc_.Add(pid, start_ticks);
    proc_.Write(std::to_string(pid) + "/cgroup", cgroups);
  }
  static Process At(uint32_t pid, uint64_t cgroup_id = 0, const std::string& told = "") {
    Process process = {.pid = pid, .start_time = 500 * ProcFixture::TickNs(), .cgroup_id = cgroup_id};
    if (!told.empty()) process.detail = std::make_shared<ProcessDetail>(ProcessDetail{.cgroup_path = told});
    return process;
  }
  std::shared_ptr<const ContainerFacts> Of(const Process& process) {
    Session session;
    session.process = process;
    enricher_->Enrich(session);
    return session.container;
  }
  std::string IdOf(const Process& process) {
    const auto container = Of(process);
    return container == nullptr ? "none" : container->id;
  }
  void ExpectStats(uint64_t hits, uint64_t misses, uint64_t unknown) {
    EXPECT_EQ(enricher_->stats().hits, hits);
    EXPECT_EQ(enricher_->stats().misses, misses);
    EXPECT_EQ(enricher_->stats().unknown, unknown);
  }

  ProcFixture proc_;
  std::unique_ptr<ContainerEnricher> enricher_;
};

TEST_F(ContainerTest, ThePathThatTheKernelToldCountsFirst) {
  Start(kUnified);
  Run(10, "0::/docker/" ID_B "\n");
  EXPECT_EQ(IdOf(At(10, 77, "/docker/" ID_A)), ID_A);
  EXPECT_EQ(IdOf(At(11, 77)), ID_A) << "known by its cgroup, though there is no such process";
  ExpectStats(1, 1, 0);
}

TEST_F(ContainerTest, APathWithoutItsBeginningDoesNotSettleIt) {
  Start(kUnified);
  Run(10, "0::/docker/" ID_A "/a/b\n");
  EXPECT_EQ(IdOf(At(10, 77, ".../a/b")), ID_A);
}

TEST_F(ContainerTest, NoContainerIsRemembered) {
  Start(kUnified);
  EXPECT_EQ(IdOf(At(10, 77, "/system.slice/ssh.service")), "none");
  EXPECT_EQ(IdOf(At(11, 77)), "none");
  ExpectStats(1, 1, 0);
}

TEST_F(ContainerTest, FromProcWithoutAPath) {
  Start(kUnified);
  Run(10, "0::/system.slice/docker-" ID_A ".scope\n");
  EXPECT_EQ(IdOf(At(10)), ID_A);
  EXPECT_EQ(IdOf(At(10)), ID_A);
  ExpectStats(1, 1, 0);
}

TEST_F(ContainerTest, AContainerThatIsGoneStaysKnown) {
  Start(kV1);
  Run(10, "2:memory:/docker/" ID_A "\n1:name=systemd:/\n");
  EXPECT_EQ(IdOf(At(10, 1)), ID_A);
  std::filesystem::remove_all(proc_.Folder(10));
  EXPECT_EQ(IdOf(At(10, 1)), ID_A);
  EXPECT_EQ(IdOf(At(11, 1)), "none") << "with cgroup v1 all are in the root of v2";
  ExpectStats(1, 2, 1);
}

TEST_F(ContainerTest, OnHybridHostsThePathInV2DoesNotSettleIt) {
  Start(kHybrid);
  Run(10, "2:memory:/docker/" ID_A "\n1:name=systemd:/\n0::/system.slice/containerd.service\n");
  EXPECT_EQ(IdOf(At(10, 77, "/system.slice/containerd.service")), ID_A);
  Run(11, "2:memory:/\n1:name=systemd:/\n0::/system.slice/containerd.service\n");
  EXPECT_EQ(IdOf(At(11, 77, "/system.slice/containerd.service")), "none");
  EXPECT_EQ(IdOf(At(12, 78, "/docker/" ID_B)), ID_B) << "unless it names a container";
  ExpectStats(0, 3, 0);
}

TEST_F(ContainerTest, AReusedPidDoesNotMislead) {
  Start(kUnified);
  Run(10, "0::/docker/" ID_A "\n", /*start_ticks=*/900);
  EXPECT_EQ(IdOf(At(10)), "none");
  ExpectStats(0, 1, 1);
}

TEST_F(ContainerTest, AProcessThatIsMovedIsLookedAtAgain) {
  Start(kUnified);
  Run(10, "0::/docker/" ID_A "\n");
  EXPECT_EQ(IdOf(At(10, 77)), ID_A);
  Run(10, "0::/docker/" ID_B "\n");
  EXPECT_EQ(IdOf(At(10, 78)), ID_B);
}

TEST_F(ContainerTest, SessionsOfAContainerShareItsFacts) {
  Start(kUnified);
  Run(10, "0::/docker/" ID_A "\n");
  Run(11, "0::/docker/" ID_A "/init.scope\n");
  const auto first = Of(At(10));
  EXPECT_EQ(first, Of(At(11)));
  EXPECT_EQ(first, Of(At(12, 77, "/docker/" ID_A)));
  EXPECT_NE(first, Of(At(13, 78, "/kubepods/pod0f9a1c2e-255a-41e9-8cd9-0007cb0b2cc8/" ID_A)));
}

TEST_F(ContainerTest, AFactIsNeverReplaced) {
  Start(kUnified);
  Session session;
  session.process = At(10, 77, "/docker/" ID_B);
  session.container = std::make_shared<ContainerFacts>(ContainerFacts{.id = ID_A});
  enricher_->Enrich(session);
  EXPECT_EQ(session.container->id, ID_A);
  Session nobody;
  enricher_->Enrich(nobody);
  EXPECT_EQ(nobody.container, nullptr);
}

TEST_F(ContainerTest, Bounded) {
  Start(kUnified, /*capacity=*/2);
  for (uint32_t i = 0; i < 100; ++i) {
    Of(At(i, 1000 + i, "/docker/" ID_A));
    Of(At(1000 + i));
  }
  EXPECT_EQ(IdOf(At(0, 1099)), ID_A);
  EXPECT_EQ(IdOf(At(0, 1000)), "none") << "forgotten";
}

TEST_F(ContainerTest, GarbageInProc) {
  Start("");
  Run(10, std::string("\0\xff\n:::\n0::", 10));
  EXPECT_EQ(IdOf(At(10)), "none");
  Run(11, std::string(1 << 20, 'x'));
  EXPECT_EQ(IdOf(At(11)), "none");
}

// Where this host has cgroup v2 mounted; "" if nowhere.
std::string UnifiedMount() {
  for (const char* root : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
    if (std::filesystem::exists(std::string(root) + "/cgroup.procs")) return root;
  }
  return "";
}

class CgroupFilesOfThisHostTest : public ::testing::Test {
 protected:
  void SetUp() override {
    CgroupFiles files("/proc");
    if (!files.finds_by_id()) GTEST_SKIP() << "no cgroup v2 is mounted here from its root";
    files.PathOf(1);
    if (!files.finds_by_id()) GTEST_SKIP() << "no CAP_DAC_READ_SEARCH";
  }
};

TEST_F(CgroupFilesOfThisHostTest, FindsACgroupByItsId) {
  CgroupFiles files("/proc");
  EXPECT_EQ(files.PathOf(1), "/");
  EXPECT_EQ(files.PathOf(0xfffffffffffff), std::nullopt);
  EXPECT_TRUE(files.finds_by_id()) << "one that is not found is no reason to ask no more";
  const std::string name = "/sockflow-test-" + std::to_string(getpid());
  const std::string path = UnifiedMount() + name;
  if (mkdir(path.c_str(), 0755) != 0) GTEST_SKIP() << "no cgroup can be made here";
  struct stat info;
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(files.PathOf(info.st_ino), name);
  rmdir(path.c_str());
  EXPECT_EQ(files.PathOf(info.st_ino), std::nullopt);
}

TEST_F(CgroupFilesOfThisHostTest, FindsTheMountAmongOthers) {
  ProcFixture proc;
  const std::string mounts =
      "24 30 0:22 / /proc rw - proc proc rw\n"
      "short\n"
      "31 30 0:29 / /nowhere rw shared:9 - cgroup2 cgroup2 rw\n"
      // Something else is mounted over it, whose root is number 1, too.
      "32 30 0:29 / /sys rw shared:9 master:1 - cgroup2 cgroup2 rw\n";
  proc.Write("self/mountinfo", mounts);
  EXPECT_FALSE(CgroupFiles(proc.path()).finds_by_id());
  proc.Write("self/mountinfo", mounts + "33 30 0:29 / " + UnifiedMount() + " rw shared:9 - cgroup2 cgroup2 rw\n");
  CgroupFiles files(proc.path());
  EXPECT_TRUE(files.finds_by_id());
  EXPECT_EQ(files.PathOf(1), "/");
}

TEST(OwnCgroupTest, IsRead) {
  const CgroupFiles files("/proc");
  const auto text = files.CgroupsOf({.pid = static_cast<uint32_t>(getpid())});
  ASSERT_TRUE(text);
  EXPECT_NE(text->find(":/"), std::string::npos);
}

}  // namespace
}  // namespace sockflow
