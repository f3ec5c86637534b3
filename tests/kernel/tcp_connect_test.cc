// SPDX-License-Identifier: MIT
// The start of active sessions: tcp_connect(), or CLOSE -> SYN_SENT in the tracepoint tier.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "tests/kernel/kernel_test.h"

namespace sockflow::testing {
namespace {

using TcpConnectTest = KernelTest;

TEST_F(TcpConnectTest, OwnerIsTheProcessAndTheThreadIsASecondFact) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  Actor client("conn-process", [port] {
    std::thread([port] {
      NameProcess("conn-thread-9");  // of the calling thread only
      close(Connect(Family::kV4, port));
    }).join();
    return 0;
  });
  const pid_t pid = client.pid();
  close(Accept(listener));
  ASSERT_EQ(client.Join(), 0);
  CollectEnds(port, 2);

  const Session session = TheSession(port, Direction::kActive);
  EXPECT_THAT(session, IsOwnedBy(pid, "conn-process"));
  EXPECT_EQ(session.process->thread_name.view(), "conn-thread-9");
  EXPECT_NE(session.process->thread_id, static_cast<uint32_t>(pid));
  EXPECT_EQ(session.process->parent_pid, static_cast<uint32_t>(getpid()));
  EXPECT_EQ(session.process->parent_name.view(), "kernel_test");
  EXPECT_EQ(session.process->uid, 0u);
  EXPECT_NE(session.process->start_time, 0u);
  close(listener);
}

TEST_F(TcpConnectTest, UserIsTheOneWhoConnects) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  Actor client("as-nobody", [port] {
    Require(setuid(65534) == 0, "setuid");
    close(Connect(Family::kV4, port));
    return 0;
  });
  close(Accept(listener));
  ASSERT_EQ(client.Join(), 0);
  CollectEnds(port, 2);
  const Session session = TheSession(port, Direction::kActive);
  ASSERT_TRUE(session.process.has_value());
  EXPECT_EQ(session.process->uid, 65534u);
  close(listener);
}

TEST_F(TcpConnectTest, NonBlocking) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  Actor client("nonblocking", [port] {
    const int fd = NewSocket(Family::kV4);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    const int error = TryConnect(fd, Family::kV4, port);
    Require(error == 0 || error == EINPROGRESS, "nonblocking connect");
    pollfd p = {.fd = fd, .events = POLLOUT, .revents = 0};
    Require(poll(&p, 1, 5000) == 1, "poll");
    close(fd);
    return 0;
  });
  const pid_t pid = client.pid();
  close(Accept(listener));
  ASSERT_EQ(client.Join(), 0);
  CollectEnds(port, 2);
  const Session session = TheSession(port, Direction::kActive);
  EXPECT_THAT(session, IsOwnedBy(pid, "nonblocking"));
  ASSERT_TRUE(session.established.has_value());
  EXPECT_LE(session.started, *session.established);
  EXPECT_LE(*session.established, session.ended);
  close(listener);
}

TEST_F(TcpConnectTest, Refused) {
  uint16_t port;
  close(Listen(Family::kV4, &port));
  Actor client("refused", [port] {
    return TryConnect(NewSocket(Family::kV4), Family::kV4, port) == ECONNREFUSED ? 0 : 1;
  });
  const pid_t pid = client.pid();
  ASSERT_EQ(client.Join(), 0);
  CollectEnds(port, 1);
  const Session session = TheSession(port, Direction::kActive);
  EXPECT_THAT(session, IsOwnedBy(pid, "refused"));
  EXPECT_EQ(session.tcp.error, ECONNREFUSED);
  EXPECT_FALSE(session.established.has_value());
  EXPECT_EQ(EndCauseOf(session), EndCause::kRefused);
  EXPECT_EQ(session.remote.port, port);
  EXPECT_NE(session.local.port, 0);
  EXPECT_EQ(session.tcp.octets_sent, 0u);
  EXPECT_EQ(session.tcp.octets_received, 0u);
}

TEST_F(TcpConnectTest, TimedOut) {
  uint16_t port;
  // A full accept queue drops SYNs without a word.
  const int listener = Listen(Family::kV4, &port, /*backlog=*/0);
  const int fills_queue = Connect(Family::kV4, port);
  Actor client("timed-out", [port] {
    const int fd = NewSocket(Family::kV4);
    const int one = 1;
    const unsigned milliseconds = 500;
    setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof(milliseconds));
    return TryConnect(fd, Family::kV4, port) == ETIMEDOUT ? 0 : 1;
  });
  const pid_t pid = client.pid();
  ASSERT_EQ(client.Join(), 0);
  close(fills_queue);
  close(listener);
  CollectEnds(port, 3);  // and both sides of what filled the queue
  bool found = false;
  for (const Record& record : Records(port)) {
    if (record.kind != SessionRecord::Kind::kEnd || !record.session.process ||
        record.session.process->name.view() != "timed-out") {
      continue;
    }
    found = true;
    EXPECT_THAT(record.session, IsOwnedBy(pid, "timed-out"));
    EXPECT_EQ(record.session.tcp.error, ETIMEDOUT);
    EXPECT_FALSE(record.session.established.has_value());
    EXPECT_EQ(EndCauseOf(record.session), EndCause::kTimedOut);
  }
  EXPECT_TRUE(found);
}

TEST_F(TcpConnectTest, NoRouteIsNoSession) {
  constexpr uint16_t kPort = 47391;
  Actor client("no-route", [] {
    EnterNewNetworkNamespace();
    const int fd = NewSocket(Family::kV4);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(kPort);
    inet_pton(AF_INET, "192.0.2.1", &address.sin_addr);
    return connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 &&
                   errno == ENETUNREACH
               ? 0
               : 1;
  });
  ASSERT_EQ(client.Join(), 0);
  CollectFor(std::chrono::milliseconds(200));
  EXPECT_TRUE(Records(kPort).empty());
}

TEST_F(TcpConnectTest, DisconnectedAndConnectedAgainIsTwoSessions) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  Actor client("reconnects", [port] {
    const int fd = NewSocket(Family::kV4);
    Require(TryConnect(fd, Family::kV4, port) == 0, "first connect");
    SendAll(fd, 10);
    sockaddr unspecified = {};
    unspecified.sa_family = AF_UNSPEC;
    Require(connect(fd, &unspecified, sizeof(unspecified)) == 0, "disconnect");
    Require(TryConnect(fd, Family::kV4, port) == 0, "second connect");
    SendAll(fd, 20);
    close(fd);
    return 0;
  });
  const pid_t pid = client.pid();
  // Accepted only afterwards: closing the first one with unread data would reset it from here.
  ASSERT_EQ(client.Join(), 0);
  close(Accept(listener));
  const int second = Accept(listener);
  ReceiveAll(second, 20);
  close(second);
  CollectEnds(port, 4);
  std::vector<Session> ends;
  for (const Record& record : Records(port)) {
    if (record.session.direction == Direction::kActive &&
        record.kind == SessionRecord::Kind::kEnd) {
      ends.push_back(record.session);
    }
  }
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_NE(ends[0].id, ends[1].id);
  EXPECT_EQ(EndCauseOf(ends[0]), EndCause::kLocalReset);
  EXPECT_EQ(ends[0].tcp.octets_sent, 10u);
  EXPECT_EQ(ends[1].tcp.octets_sent, 20u);
  EXPECT_THAT(ends[0], IsOwnedBy(pid, "reconnects"));
  EXPECT_THAT(ends[1], IsOwnedBy(pid, "reconnects"));
  close(listener);
}

TEST_F(TcpConnectTest, OwnerStaysAfterExec) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  Actor client("before-exec", [port] {
    const int fd = Connect(Family::kV4, port);
    fcntl(fd, F_SETFD, 0);  // survives exec, closed at exit
    execl("/bin/true", "true", nullptr);
    return 98;
  });
  const pid_t pid = client.pid();
  close(Accept(listener));
  // A VM's /bin/true may be a multi-call program; its status does not matter.
  client.Join();
  CollectEnds(port, 2);
  EXPECT_THAT(TheSession(port, Direction::kActive), IsOwnedBy(pid, "before-exec"));
  close(listener);
}

}  // namespace
}  // namespace sockflow::testing
