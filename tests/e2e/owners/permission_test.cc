// SPDX-License-Identifier: MIT
// What is lost, and what is not permitted.

#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "tests/e2e/owners/owner_test.h"

namespace sockflow::testing {
namespace {

using ::testing::HasSubstr;

class PermissionTest : public OwnerTest {};

uint64_t EventsLost(pcap::OwnerFinder& finder) {
  for (const LossCounter& loss : finder.losses()) {
    if (loss.reason == "owner_events_lost") return loss.count;
  }
  return 0;
}

TEST_F(PermissionTest, LostRecordsMakeNoWrongOwners) {
  watch_.emplace(pcap::OwnerFinderOptions{.most_trace_octets = 1});
  if (watch_->finder().description() != "owners from the tracepoint sock:inet_sock_set_state") {
    GTEST_SKIP() << watch_->finder().description();
  }
  const Server server("server");
  const ConnectionLoad::Options options = {.server_port = server.port(),
                                           .connections = 600,
                                           .lifetime = Duration::zero(),
                                           .pause = Duration::zero()};
  ConnectionLoad load(options);
  // Looks only afterwards: the smallest ring is full long before.
  while (load.Running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  watch_->RunUntilQuiet(std::chrono::milliseconds(50));
  for (const Truth& truth : load.truth()) {
    ExpectNobodyBut(watch_->Active(truth.port, truth.begun), truth.pid);
    ExpectNobodyBut(watch_->Passive(truth.port, truth.begun), server.pid());
  }
  // And it goes on.
  const ConnectionLoad::Options few = {.server_port = server.port(), .connections = 20};
  ConnectionLoad later(few);
  watch_->RunWhile([&] { return later.Running(); });
  watch_->RunUntilQuiet(std::chrono::milliseconds(50));
  int known = 0;
  for (const Truth& truth : later.truth()) {
    const WatchedEnd* end = watch_->Active(truth.port, truth.begun);
    ExpectNobodyBut(end, truth.pid);
    known += end != nullptr && end->best.process ? 1 : 0;
  }
  EXPECT_GE(known, 19) << "nobody was found too often";
  EXPECT_GT(EventsLost(watch_->finder()), 0);  // told with the first record that found room
}

TEST_F(PermissionTest, WithoutCapabilities) {
  const Server server("server");
  // Opened by an ordinary user: its own sockets are found, those of others stay unknown.
  Actor user("user", [&] {
    Require(setuid(65'534) == 0, "setuid");
    prctl(PR_SET_DUMPABLE, 1);
    const std::unique_ptr<pcap::OwnerFinder> finder = pcap::OpenOwnerFinder();
    const std::string how = finder->description();
    if (how.find("tracepoint sock:inet_sock_set_state cannot be used: ") == std::string::npos ||
        how.find("give CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH") == std::string::npos) {
      fprintf(stderr, "%s\n", how.c_str());
      return 1;
    }
    // A process that began a moment ago may have its sockets from its parent, which may not be seen.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const int fd = Connect(Family::kV4, server.port());
    sockaddr_storage address;
    LoopbackAddress(Family::kV4, 0, &address);
    const Endpoint local = {*IpAddress::Parse("127.0.0.1"), PortOf(fd)};
    const Endpoint remote = {local.address, server.port()};
    std::optional<pcap::Finding> finding;
    const auto found = [&](const pcap::Finding& f) { finding = f; };
    finder->Look({.id = 1, .local = local, .remote = remote, .at = Now()});
    const Time until = Now() + std::chrono::seconds(10);
    while (!finding && Now() < until) finder->Poll(Now(), found);
    if (!finding || !finding->process || finding->process->pid != static_cast<uint32_t>(getpid())) return 2;
    finding.reset();
    finder->Look({.id = 2, .direction = Direction::kPassive, .local = remote, .remote = local, .at = Now()});
    const Time later = Now() + std::chrono::milliseconds(500);
    while (Now() < later) finder->Poll(Now(), found);
    return finding && finding->process ? 3 : 0;
  });
  EXPECT_EQ(user.Join(), 0);
}

}  // namespace
}  // namespace sockflow::testing
