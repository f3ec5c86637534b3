// SPDX-License-Identifier: MIT
// Packets that another CPU hands over interrupt whatever runs here, also a BPF program: the kernel does
// not run that program a second time, and the moment must not be lost (bpf/transitions.h).
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <vector>

#include "tests/kernel/kernel_test.h"

namespace sockflow::testing {
namespace {

using OtherCpuTest = KernelTest;

// Receive packet steering: loopback's packets go to all CPUs, by interrupts between them.
bool SteerPackets() {
  EnterNewNetworkNamespace();
  Require(unshare(CLONE_NEWNS) == 0, "unshare(CLONE_NEWNS)");
  Require(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "private mounts");
  Require(mount("sysfs", "/sys", "sysfs", 0, nullptr) == 0, "mount /sys");
  std::ofstream file("/sys/class/net/lo/queues/rx-0/rps_cpus");
  file << "3" << std::flush;
  return file.good();
}

TEST_F(OtherCpuTest, NoSessionIsLost) {
  if (sysconf(_SC_NPROCESSORS_ONLN) < 2) GTEST_SKIP() << "needs two CPUs";
  constexpr int kPairs = 3, kSessions = 2000, kNoSteering = 77;
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  Gate go, done;
  Actor load("steered-load", [&report, &go, &done] {
    if (!SteerPackets()) return kNoSteering;
    std::vector<std::unique_ptr<Actor>> actors;
    for (int pair = 0; pair < kPairs; ++pair) {
      uint16_t port;
      const int listener = Listen(Family::kV4, &port);
      Require(write(report[1], &port, sizeof(port)) == sizeof(port), "report");
      actors.push_back(std::make_unique<Actor>("steered-server", [listener] {
        for (int i = 0; i < kSessions; ++i) {
          const int fd = Accept(listener);
          ReceiveAll(fd, 2);
          SendAll(fd, 1);
          close(fd);
        }
        return 0;
      }));
      actors.push_back(std::make_unique<Actor>("steered-client", [port] {
        for (int i = 0; i < kSessions; ++i) {
          const int fd = Connect(Family::kV4, port);
          SendAll(fd, 2);
          ReceiveToEnd(fd);
          close(fd);
        }
        return 0;
      }));
    }
    go.Post();
    int status = 0;
    for (const auto& actor : actors) status |= actor->Join();
    done.Post();
    return status;
  });
  uint16_t ports[kPairs];
  if (!go.WaitFor(std::chrono::seconds(10))) GTEST_SKIP() << "this kernel does not steer packets";
  ASSERT_EQ(read(report[0], ports, sizeof(ports)), static_cast<ssize_t>(sizeof(ports)));
  size_t starts = 0, ends = 0, misnamed = 0;
  // A lost end is waited for in vain: by the load's own end, not the clock, nothing more can come.
  while (!done.WaitFor(std::chrono::milliseconds(0))) CollectFor(std::chrono::milliseconds(50));
  CollectFor(std::chrono::milliseconds(300));
  for (uint16_t port : ports) {
    for (const Record& record : Records(port)) {
      ++(record.kind == SessionRecord::Kind::kStart ? starts : ends);
      const char* owner =
          record.session.direction == Direction::kActive ? "steered-client" : "steered-server";
      misnamed += !record.session.process || record.session.process->name.view() != owner;
    }
  }
  EXPECT_EQ(load.Join(), 0);
  printf("%zu starts, %zu ends of %d; %zu misnamed; %llu calls rescued\n", starts, ends,
         2 * kPairs * kSessions, misnamed,
         static_cast<unsigned long long>(source_->stats().rescued));
  EXPECT_EQ(starts, size_t{2} * kPairs * kSessions);
  EXPECT_EQ(ends, size_t{2} * kPairs * kSessions);
  EXPECT_EQ(misnamed, 0u);
  close(report[0]);
  close(report[1]);
}

}  // namespace
}  // namespace sockflow::testing
