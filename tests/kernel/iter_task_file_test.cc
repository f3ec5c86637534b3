// SPDX-License-Identifier: MIT
// iter/task_file and iter/tcp: sessions and listeners that are older than the hooks.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <vector>

#include "tests/kernel/kernel_test.h"

namespace sockflow::testing {
namespace {

using std::chrono::milliseconds;

class IterTaskFileTest : public KernelTest, public ::testing::WithParamInterface<Family> {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (!IsSkipped()) source_.reset();
  }
};

INSTANTIATE_TEST_SUITE_P(Families, IterTaskFileTest,
                         ::testing::Values(Family::kV4, Family::kV6, Family::kV4Mapped));

TEST_P(IterTaskFileTest, OlderSessionsAreFoundWithTheirHolders) {
  constexpr size_t kSessions = 200;
  uint16_t port;
  const int listener = Listen(GetParam(), &port, kSessions);
  Gate connected, sent, closing;
  Actor server("old-server", [&, listener] {
    std::vector<int> sockets;
    for (size_t i = 0; i < kSessions; ++i) {
      sockets.push_back(Accept(listener));
      ReceiveAll(sockets.back(), 1000);
    }
    connected.Post();
    closing.Wait();
    for (const int fd : sockets) {
      ReceiveToEnd(fd);
      close(fd);
    }
    return 0;
  });
  Actor client("old-client", [&] {
    std::vector<int> sockets;
    for (size_t i = 0; i < kSessions; ++i) {
      sockets.push_back(Connect(GetParam(), port));
      SendAll(sockets.back(), 1000);
    }
    sent.Wait();
    for (const int fd : sockets) {
      SendAll(fd, 23);
      close(fd);
    }
    return 0;
  });
  close(listener);
  connected.Wait();
  AttachAndFind({});
  CollectFor(milliseconds(100));
  ASSERT_EQ(Records(port).size(), 2 * kSessions);
  sent.Post();
  closing.Post();
  const pid_t client_pid = client.pid(), server_pid = server.pid();
  ASSERT_EQ(client.Join(), 0);
  ASSERT_EQ(server.Join(), 0);
  CollectEnds(port, 2 * kSessions);

  std::map<SessionId, std::vector<Record>> sessions;
  for (const Record& record : Records(port)) sessions[record.session.id].push_back(record);
  EXPECT_EQ(sessions.size(), 2 * kSessions);
  for (const auto& [id, records] : sessions) {
    ASSERT_EQ(records.size(), 2u);
    EXPECT_EQ(records[0].kind, SessionRecord::Kind::kStart);
    EXPECT_EQ(records[1].kind, SessionRecord::Kind::kEnd);
    for (const auto& [kind, session] : records) {
      EXPECT_TRUE(session.existing);
      if (session.remote.port == port) {
        EXPECT_EQ(session.direction, Direction::kActive);
        EXPECT_THAT(session, IsOwnedBy(client_pid, "old-client"));
      } else {
        EXPECT_EQ(session.direction, Direction::kPassive);
        EXPECT_THAT(session, IsOwnedBy(server_pid, "old-server"));
      }
    }
    const Session& end = records[1].session;
    EXPECT_EQ(end.initiator_octets(end.tcp), 1023u);
    EXPECT_EQ(end.responder_octets(end.tcp), 0u);
    EXPECT_EQ(records[0].session.reported.octets_sent + records[0].session.reported.octets_received, 1000u);
    EXPECT_EQ(EndCauseOf(end), end.direction == Direction::kActive ? EndCause::kLocalFin : EndCause::kRemoteFin);
  }
  EXPECT_EQ(Lost("unseen_start"), 0u);
}

TEST_P(IterTaskFileTest, AnOlderListenerOwnsWhatItBegets) {
  uint16_t port;
  const int listener = Listen(GetParam(), &port);
  Gate never;
  Actor server("old-listener", [&] {
    never.Wait();
    return 0;
  });
  // Both hold it; the one that the kernel lists first is taken.
  const pid_t holder = std::min(getpid(), server.pid());
  Attach({});
  const int client = Connect(GetParam(), port);
  CloseWithReset(client);  // it dies in the queue: nobody accepts it
  close(listener);
  server.Kill();
  CollectEnds(port, 2);
  const Session passive = TheSession(port, Direction::kPassive);
  EXPECT_FALSE(passive.existing);
  ASSERT_TRUE(passive.process.has_value());
  EXPECT_EQ(passive.process->pid, static_cast<uint32_t>(holder));
  EXPECT_EQ(passive.attribution, Attribution::kListener);
}

TEST_F(IterTaskFileTest, AnOlderSessionIsAcceptedLater) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  const int client = Connect(Family::kV4, port);
  AttachAndFind({});
  CollectFor(milliseconds(50));
  Actor server("late-acceptor", [listener] {
    const int fd = Accept(listener);
    ReceiveToEnd(fd);
    close(fd);
    return 0;
  });
  SendAll(client, 10);
  shutdown(client, SHUT_WR);  // the other process has a copy
  close(client);
  const pid_t pid = server.pid();
  ASSERT_EQ(server.Join(), 0);
  CollectEnds(port, 2);
  Session end;
  for (const Record& record : Records(port)) {
    if (record.session.direction == Direction::kPassive) end = record.session;
  }
  EXPECT_THAT(end, IsOwnedBy(pid, "late-acceptor"));
  EXPECT_EQ(end.attribution, Attribution::kCaller);
  EXPECT_EQ(Records(port).size(), 4u);
  close(listener);
}

TEST_F(IterTaskFileTest, OlderSessionsAreLeftOutIfNotAskedFor) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  const int client = Connect(Family::kV4, port);
  const int server = Accept(listener);
  AttachAndFind({.existing = false});
  close(client);
  ReceiveToEnd(server);
  close(server);
  CollectFor(milliseconds(200));
  EXPECT_TRUE(Events(port).empty());
  EXPECT_EQ(Lost("unseen_start"), 0u);
  close(listener);
}

TEST_F(IterTaskFileTest, InAnotherNetworkNamespace) {
  Gate connected, go_on;
  Actor both("other-netns", [&] {
    EnterNewNetworkNamespace();
    uint16_t port = 0;
    const int listener = Listen(Family::kV4, &port);
    const int client = Connect(Family::kV4, port);
    const int server = Accept(listener);
    connected.Post();
    go_on.Wait();
    SendAll(client, port % 1000);  // tells them from others
    close(client);
    ReceiveToEnd(server);
    close(server);
    return port % 1000 == 0 ? 1 : 0;
  });
  connected.Wait();
  AttachAndFind({});
  CollectFor(milliseconds(50));
  go_on.Post();
  const pid_t pid = both.pid();
  ASSERT_EQ(both.Join(), 0);
  CollectFor(milliseconds(300));
  size_t ends = 0;
  for (const Record& record : AllRecords()) {
    if (record.kind != SessionRecord::Kind::kEnd || !record.session.process ||
        record.session.process->pid != static_cast<uint32_t>(pid)) {
      continue;
    }
    ++ends;
    EXPECT_TRUE(record.session.existing);
    EXPECT_EQ(record.session.initiator_octets(record.session.tcp), record.session.destination().port % 1000u);
  }
  EXPECT_EQ(ends, 2u);
}

}  // namespace
}  // namespace sockflow::testing
