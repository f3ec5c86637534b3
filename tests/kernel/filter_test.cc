// SPDX-License-Identifier: MIT
// bpf/filter.h: what is not told at all.
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/kernel/kernel_test.h"

namespace sockflow::testing {
namespace {

using std::chrono::milliseconds;

std::vector<PortRange> Only(uint16_t port) { return {{port, port}}; }

class FilterTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (!IsSkipped()) source_.reset();
  }

  void AttachWith(const FilterRules& rules) {
    Attach({.rules = rules});
    const SourceStats stats = source_->stats();
    filtered_ = stats.filtered;
    own_ = stats.own;
  }
  uint64_t Filtered() { return source_->stats().filtered - filtered_; }
  uint64_t Own() { return source_->stats().own - own_; }

  // One session, in a process of its own: its client and its server.
  static void MakeSession(uint16_t port, int listener, uid_t client_uid = 0, Family family = Family::kV4) {
    Actor client("filter-client", [=] {
      Require(setuid(client_uid) == 0, "setuid");
      const int fd = Connect(family, port);
      SendAll(fd, 10);
      close(fd);
      return 0;
    });
    Actor server("filter-server", [=] {
      const int fd = Accept(listener);
      ReceiveToEnd(fd);
      close(fd);
      return 0;
    });
    ASSERT_EQ(client.Join(), 0);
    ASSERT_EQ(server.Join(), 0);
  }

  // Which sides of the sessions of the port were told: "active start, active end".
  std::vector<std::string> Told(uint16_t port) const {
    std::vector<std::string> told;
    for (const Record& record : Records(port)) {
      told.push_back(std::string(record.session.direction == Direction::kActive ? "active" : "passive") +
                     (record.kind == SessionRecord::Kind::kStart ? " start" : " end"));
    }
    std::ranges::sort(told);
    return told;
  }

 private:
  uint64_t filtered_ = 0, own_ = 0;
};

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(FilterTest, ByPorts) {
  uint16_t out_port, in_port;
  const int out = Listen(Family::kV4, &out_port), in = Listen(Family::kV4, &in_port);
  AttachWith({.exclude = {{.port = Only(out_port)}}});
  MakeSession(out_port, out);
  MakeSession(in_port, in);
  CollectEnds(in_port, 2);
  EXPECT_THAT(Events(out_port), IsEmpty());
  EXPECT_THAT(Told(in_port), ElementsAre("active end", "active start", "passive end", "passive start"));
  EXPECT_EQ(Filtered(), 2u);
  EXPECT_EQ(Lost("unseen_start"), 0u);

  // One side of each.
  source_->SetFilter({.exclude = {{.local_port = Only(out_port)}, {.remote_port = Only(in_port)}}});
  MakeSession(out_port, out);
  MakeSession(in_port, in);
  CollectFor(milliseconds(200));
  EXPECT_THAT(Told(out_port), ElementsAre("active end", "active start"));
  EXPECT_EQ(Told(in_port).size(), 6u);
  EXPECT_EQ(Filtered(), 4u);
  close(out);
  close(in);
}

TEST_F(FilterTest, OnlyWhatIsIncluded) {
  uint16_t out_port, in_port;
  const int out = Listen(Family::kV4, &out_port), in = Listen(Family::kV4, &in_port);
  AttachWith({.include = {{.port = Only(in_port), .direction = Direction::kPassive}, {.port = {{1, 1}}}}});
  MakeSession(out_port, out);
  MakeSession(in_port, in);
  CollectEnds(in_port, 1);
  EXPECT_THAT(Events(out_port), IsEmpty());
  EXPECT_THAT(Told(in_port), ElementsAre("passive end", "passive start"));
  EXPECT_GE(Filtered(), 3u);  // and others' sessions
  close(out);
  close(in);
}

TEST_F(FilterTest, ByLoopback) {
  for (const Family family : {Family::kV4, Family::kV6, Family::kV4Mapped}) {
    uint16_t port;
    const int listener = Listen(family, &port);
    AttachWith({.exclude = {{.port = Only(port), .loopback = false}}});
    MakeSession(port, listener, 0, family);
    CollectEnds(port, 2);
    EXPECT_EQ(Filtered(), 0u);
    source_->SetFilter({.exclude = {{.port = Only(port), .loopback = true}}});
    MakeSession(port, listener, 0, family);
    CollectFor(milliseconds(100));
    EXPECT_EQ(Told(port).size(), 4u);
    EXPECT_EQ(Filtered(), 2u);
    close(listener);
  }
}

TEST_F(FilterTest, ByUid) {
  constexpr uid_t kNobody = 65534;
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  AttachWith({.exclude = {{.user = {"1", std::to_string(kNobody)}, .port = Only(port)}}});
  MakeSession(port, listener, kNobody);
  CollectEnds(port, 1);
  EXPECT_THAT(Told(port), ElementsAre("passive end", "passive start"));
  EXPECT_EQ(Filtered(), 1u);
  MakeSession(port, listener, 0);
  CollectEnds(port, 3);
  // Who accepts may be another user than who listens: where nothing tells of accept(), the agent decides.
  source_->SetFilter({.exclude = {{.user = {"0"}, .port = Only(port)}}});
  MakeSession(port, listener, kNobody);
  CollectFor(milliseconds(100));
  EXPECT_EQ(Filtered(), has_accept_hook() ? 2u : 1u);
  EXPECT_EQ(Told(port).size(), has_accept_hook() ? 8u : 10u);
  close(listener);
}

// A session that is refused, and one that is never accepted.
TEST_F(FilterTest, WhateverBecomesOfTheSession) {
  uint16_t refused_port, port;
  close(Listen(Family::kV4, &refused_port));
  const int listener = Listen(Family::kV4, &port);
  AttachWith({.exclude = {{.port = {{refused_port, refused_port}, {port, port}}}}});
  Actor client("filter-client", [=] {
    Require(TryConnect(NewSocket(Family::kV4), Family::kV4, refused_port) != 0, "refused");
    CloseWithReset(Connect(Family::kV4, port));
    return 0;
  });
  ASSERT_EQ(client.Join(), 0);
  // It died in the queue, and is accepted now.
  close(Accept(listener));
  close(Connect(Family::kV4, port));
  close(listener);
  CollectFor(milliseconds(200));
  EXPECT_THAT(Events(port), IsEmpty());
  EXPECT_THAT(Events(refused_port), IsEmpty());
  EXPECT_EQ(Filtered(), 5u);
  EXPECT_EQ(Lost("unseen_start"), 0u);
}

// What is open goes on as it began, whatever the rules become.
TEST_F(FilterTest, RulesChangeAmidSessions) {
  uint16_t out_port, in_port;
  const int out = Listen(Family::kV4, &out_port), in = Listen(Family::kV4, &in_port);
  AttachWith({.exclude = {{.port = Only(out_port)}}});
  Gate connected, go_on;
  Actor both("filter-both", [&, out, in] {
    const int fds[] = {Connect(Family::kV4, out_port), Connect(Family::kV4, in_port), Accept(out), Accept(in)};
    for (const int fd : {fds[0], fds[1]}) SendAll(fd, 10);
    for (const int fd : {fds[2], fds[3]}) ReceiveAll(fd, 10);
    connected.Post();
    go_on.Wait();
    for (const int fd : fds) close(fd);
    return 0;
  });
  connected.Wait();
  source_->SetFilter({.exclude = {{.port = Only(in_port)}}});
  go_on.Post();
  ASSERT_EQ(both.Join(), 0);
  CollectEnds(in_port, 2);
  EXPECT_THAT(Events(out_port), IsEmpty());
  EXPECT_THAT(Told(in_port), ElementsAre("active end", "active start", "passive end", "passive start"));
  EXPECT_EQ(Filtered(), 2u);
  // And without rules all is told again.
  source_->SetFilter({});
  MakeSession(out_port, out);
  CollectEnds(out_port, 2);
  EXPECT_EQ(Lost("unseen_start"), 0u);
  close(out);
  close(in);
}

TEST_F(FilterTest, OlderSessions) {
  uint16_t out_port, in_port;
  const int out = Listen(Family::kV4, &out_port), in = Listen(Family::kV4, &in_port);
  const int fds[] = {Connect(Family::kV4, out_port), Connect(Family::kV4, in_port), Accept(out), Accept(in)};
  AttachAndFind({.active_timeout = milliseconds(30), .rules = {.exclude = {{.port = Only(out_port)}}}});
  CollectFor(milliseconds(200));
  for (const int fd : fds) close(fd);
  CollectEnds(in_port, 2);
  EXPECT_THAT(Events(out_port), IsEmpty());
  EXPECT_EQ(source_->stats().filtered, 2u);
  EXPECT_EQ(Lost("unseen_start"), 0u);
  close(out);
  close(in);
}

// Older sessions that no walk has found.
TEST_F(FilterTest, OlderSessionsThatShowAtTheirEnd) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  const int client = Connect(Family::kV4, port), server = Accept(listener);
  AttachAndFind({.rules = {.exclude = {{.port = Only(port)}}}});
  close(client);
  close(server);
  CollectFor(milliseconds(200));
  EXPECT_THAT(Events(port), IsEmpty());
  EXPECT_EQ(source_->stats().filtered, 2u);
  EXPECT_EQ(Lost("unseen_start"), 0u);
  close(listener);
}

TEST_F(FilterTest, AsManyRulesAsThereIsRoomFor) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  FilterRules rules;
  for (uint16_t i = 1; i <= 31; ++i) {
    rules.exclude.push_back({.remote_port = std::vector<PortRange>(8, PortRange{i, i}), .loopback = true});
  }
  rules.exclude.push_back({.port = Only(port)});
  AttachWith(rules);
  MakeSession(port, listener);
  CollectFor(milliseconds(100));
  EXPECT_THAT(Events(port), IsEmpty());
  EXPECT_EQ(Filtered(), 2u);
  close(listener);
}

TEST_F(FilterTest, OurOwn) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  const int older = Connect(Family::kV4, port);
  const int older_server = Accept(listener);
  AttachAndFind({.leave_out_own = true});
  CollectFor(milliseconds(50));
  EXPECT_EQ(source_->own_pid(), static_cast<uint32_t>(getpid()));
  EXPECT_EQ(source_->stats().own, 2u);
  close(older);
  close(older_server);
  close(listener);
  // From here to another process.
  int port_pipe[2];
  ASSERT_EQ(pipe(port_pipe), 0);
  Actor server("filter-server", [&] {
    uint16_t its_port;
    const int its_listener = Listen(Family::kV4, &its_port);
    Require(write(port_pipe[1], &its_port, sizeof(its_port)) == sizeof(its_port), "write");
    const int fd = Accept(its_listener);
    ReceiveToEnd(fd);
    close(fd);
    return 0;
  });
  ASSERT_EQ(read(port_pipe[0], &port, sizeof(port)), static_cast<ssize_t>(sizeof(port)));
  const int fd = Connect(Family::kV4, port);
  SendAll(fd, 1);
  shutdown(fd, SHUT_WR);
  ASSERT_EQ(server.Join(), 0);
  close(fd);
  CollectEnds(port, 1);
  EXPECT_THAT(Told(port), ElementsAre("passive end", "passive start"));
  EXPECT_EQ(source_->stats().own, 3u);
  EXPECT_EQ(source_->stats().filtered, 0u);
}

// In a PID namespace the agent does not know itself by the kernel's id.
TEST_F(FilterTest, OurOwnInAPidNamespace) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  Gate named;
  Actor outer("filter-outer", [&, listener] {
    Require(unshare(CLONE_NEWPID) == 0, "unshare");
    Actor inner("filter-inner", [&, listener] {
      Require(getpid() == 1, "a PID namespace");
      // The walk would find it here, and take it for ours.
      close(listener);
      auto source = EbpfEventSource::Open(tier_, {.leave_out_own = true});
      Require(source.ok() && *(*source)->own_pid() == 0, "open");
      const auto ignore = [](const SessionEvent&) {};
      Require((*source)->Poll(Duration::zero(), ignore).ok(), "poll");
      const int fd = Connect(Family::kV4, port);
      close(fd);
      int told = 0;
      Require((*source)->Poll(milliseconds(50), [&](const SessionEvent& event) {
        told += event.remote.port == port ? 1 : 0;
      }).ok(), "poll");
      return *(*source)->own_pid() > 1 && (*source)->stats().own == 1 && told == 0 ? 0 : 1;
    });
    return inner.Join();
  });
  EXPECT_EQ(outer.Join(), 0);
  close(listener);
}

}  // namespace
}  // namespace sockflow::testing
