// SPDX-License-Identifier: MIT
// iter/task_file and iter/tcp: sessions and listeners that are older than the hooks.
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <map>
#include <vector>

#include "tests/kernel/kernel_test.h"

namespace sockflow::testing {
namespace {

using std::chrono::milliseconds;

class IterTaskFileTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (!IsSkipped()) source_.reset();
  }
};

constexpr Family kFamilies[] = {Family::kV4, Family::kV6, Family::kV4Mapped};

// Two processes with many sessions between them, which go on when they are told to.
class OldSessions {
 public:
  static constexpr size_t kSessions = 200;
  static constexpr size_t kOctetsBefore = 1000, kOctetsAfter = 23;

  explicit OldSessions(Family family) : family_(family), listener_(Listen(family, &port_, kSessions)) {
    close(listener_);  // theirs
    connected_.Wait();
  }

  void GoOn() {
    sent_.Post();
    closing_.Post();
    client_pid_ = client_.pid();
    server_pid_ = server_.pid();
    EXPECT_EQ(client_.Join(), 0);
    EXPECT_EQ(server_.Join(), 0);
  }

  uint16_t port() const { return port_; }
  pid_t client_pid() const { return client_pid_; }
  pid_t server_pid() const { return server_pid_; }

 private:
  int Serve() {
    std::vector<int> sockets;
    for (size_t i = 0; i < kSessions; ++i) {
      sockets.push_back(Accept(listener_));
      ReceiveAll(sockets.back(), kOctetsBefore);
    }
    connected_.Post();
    closing_.Wait();
    for (const int fd : sockets) {
      ReceiveToEnd(fd);
      close(fd);
    }
    return 0;
  }

  int ConnectAll() {
    std::vector<int> sockets;
    for (size_t i = 0; i < kSessions; ++i) {
      sockets.push_back(Connect(family_, port_));
      SendAll(sockets.back(), kOctetsBefore);
    }
    sent_.Wait();
    for (const int fd : sockets) {
      SendAll(fd, kOctetsAfter);
      close(fd);
    }
    return 0;
  }

  Family family_;
  uint16_t port_ = 0;
  int listener_;
  Gate connected_, sent_, closing_;
  pid_t client_pid_ = 0, server_pid_ = 0;
  // They begin at once, with all of the above.
  Actor server_{"old-server", [this] { return Serve(); }};
  Actor client_{"old-client", [this] { return ConnectAll(); }};
};

TEST_F(IterTaskFileTest, OlderSessionsAreFoundWithTheirHolders) {
  constexpr size_t kSessions = OldSessions::kSessions;
  std::deque<OldSessions> families;
  for (const Family family : kFamilies) families.emplace_back(family);
  AttachAndFind({});
  CollectFor(milliseconds(100));
  for (OldSessions& old : families) {
    ASSERT_EQ(Records(old.port()).size(), 2 * kSessions);
    old.GoOn();
  }
  for (const OldSessions& old : families) {
    const uint16_t port = old.port();
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
          EXPECT_THAT(session, IsOwnedBy(old.client_pid(), "old-client"));
        } else {
          EXPECT_EQ(session.direction, Direction::kPassive);
          EXPECT_THAT(session, IsOwnedBy(old.server_pid(), "old-server"));
        }
      }
      const Session& end = records[1].session;
      EXPECT_EQ(end.initiator_octets(end.tcp), OldSessions::kOctetsBefore + OldSessions::kOctetsAfter);
      EXPECT_EQ(end.responder_octets(end.tcp), 0u);
      EXPECT_EQ(records[0].session.reported.octets_sent + records[0].session.reported.octets_received,
                OldSessions::kOctetsBefore);
      EXPECT_EQ(EndCauseOf(end),
                end.direction == Direction::kActive ? EndCause::kLocalFin : EndCause::kRemoteFin);
    }
  }
  EXPECT_EQ(Lost("unseen_start"), 0u);
}

TEST_F(IterTaskFileTest, AnOlderListenerOwnsWhatItBegets) {
  struct Listener {
    uint16_t port = 0;
    int fd = -1;
  };
  std::map<Family, Listener> listeners;
  for (const Family family : kFamilies) {
    Listener& listener = listeners[family];
    listener.fd = Listen(family, &listener.port);
  }
  Gate never;
  Actor server("old-listener", [&] {
    never.Wait();
    return 0;
  });
  // Both hold them; the one that the kernel lists first is taken.
  const pid_t holder = std::min(getpid(), server.pid());
  Attach({});
  for (const auto& [family, listener] : listeners) {
    const int client = Connect(family, listener.port);
    CloseWithReset(client);  // it dies in the queue: nobody accepts it
    close(listener.fd);
  }
  server.Kill();
  for (const auto& [family, listener] : listeners) {
    CollectEnds(listener.port, 2);
    const Session passive = TheSession(listener.port, Direction::kPassive);
    EXPECT_FALSE(passive.existing);
    ASSERT_TRUE(passive.process.has_value());
    EXPECT_EQ(passive.process->pid, static_cast<uint32_t>(holder));
    EXPECT_EQ(passive.attribution, Attribution::kListener);
  }
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

// connect() was called, the SYN leaves with the first data: one session, found, not begun again.
TEST_F(IterTaskFileTest, AnOlderConnectThatWaitsForData) {
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  Gate go_on;
  Actor both("old-fast-open", [&] {
    EnterNewNetworkNamespace();
    std::ofstream("/proc/sys/net/ipv4/tcp_fastopen") << "0x607";  // no cookie sent or wanted
    uint16_t port;
    const int listener = Listen(Family::kV4, &port);
    const int queue = 5, on = 1;
    Require(setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue)) == 0, "TCP_FASTOPEN");
    const int client = NewSocket(Family::kV4);
    Require(setsockopt(client, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)) == 0,
            "TCP_FASTOPEN_CONNECT");
    Require(TryConnect(client, Family::kV4, port) == 0, "connect");
    Require(write(report[1], &port, sizeof(port)) > 0, "report");
    go_on.Wait();
    SendAll(client, 5);
    const int server = Accept(listener);
    ReceiveAll(server, 5);
    close(client);
    ReceiveToEnd(server);
    close(server);
    return 0;
  });
  uint16_t port;
  ASSERT_EQ(read(report[0], &port, sizeof(port)), static_cast<ssize_t>(sizeof(port)));
  AttachAndFind({});
  CollectFor(milliseconds(50));
  go_on.Post();
  const pid_t pid = both.pid();
  ASSERT_EQ(both.Join(), 0);
  CollectEnds(port, 2);
  const Session active = TheSession(port, Direction::kActive);
  EXPECT_TRUE(active.existing);
  EXPECT_THAT(active, IsOwnedBy(pid, "old-fast-open"));
  EXPECT_EQ(active.tcp.octets_sent, 5u);
  EXPECT_FALSE(TheSession(port, Direction::kPassive).existing);
  close(report[0]);
  close(report[1]);
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
