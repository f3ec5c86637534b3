// SPDX-License-Identifier: MIT
// The start of passive sessions: inet_csk_accept(), or the first read in the tracepoint tier.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <vector>

#include "tests/kernel/kernel_test.h"

namespace sockflow::testing {
namespace {

using InetCskAcceptTest = KernelTest;

TEST_F(InetCskAcceptTest, PreforkWorkerIsTheOwner) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  Actor worker("prefork-worker", [listener] {
    const int fd = Accept(listener);
    ReceiveAll(fd, 5);
    SendAll(fd, 3);
    close(fd);
    return 0;
  });
  const pid_t pid = worker.pid();
  const int client = Connect(Family::kV4, port);
  SendAll(client, 5);
  ReceiveToEnd(client);
  close(client);
  ASSERT_EQ(worker.Join(), 0);
  CollectEnds(port, 2);
  const Session session = TheSession(port, Direction::kPassive);
  EXPECT_THAT(session, IsOwnedBy(pid, "prefork-worker"));
  EXPECT_EQ(session.local.port, port);
  EXPECT_EQ(session.tcp.octets_received, 5u);
  EXPECT_EQ(session.tcp.octets_sent, 3u);
  close(listener);
}

TEST_F(InetCskAcceptTest, OwnerIsWhoAcceptedNotWhoItForked) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  Actor server("forking-server", [listener] {
    const int fd = Accept(listener);
    // Like a forking server whose child closes the session: the accepting process has read a request.
    ReceiveAll(fd, 1);
    Actor child("forked-child", [fd] {
      SendAll(fd, 7);
      close(fd);
      return 0;
    });
    close(fd);
    return child.Join();
  });
  const pid_t pid = server.pid();
  const int client = Connect(Family::kV4, port);
  SendAll(client, 1);
  EXPECT_EQ(ReceiveToEnd(client), 7u);
  close(client);
  ASSERT_EQ(server.Join(), 0);
  CollectEnds(port, 2);
  EXPECT_THAT(TheSession(port, Direction::kPassive), IsOwnedBy(pid, "forking-server"));
  close(listener);
}

TEST_F(InetCskAcceptTest, NeverAcceptedIsTheListenersAndMarked) {
  uint16_t port = 0;
  Gate connected;
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  Actor listener("idle-listener", [&connected, &report] {
    uint16_t listening_port;
    const int fd = Listen(Family::kV4, &listening_port);
    Require(write(report[1], &listening_port, sizeof(listening_port)) > 0, "report");
    connected.Wait();
    // The last segment of the handshake may still be on its way.
    pollfd queue = {.fd = fd, .events = POLLIN, .revents = 0};
    Require(poll(&queue, 1, 10'000) == 1, "poll for a session to accept");
    close(fd);
    return 0;
  });
  const pid_t pid = listener.pid();
  ASSERT_EQ(read(report[0], &port, sizeof(port)), static_cast<ssize_t>(sizeof(port)));
  const int client = Connect(Family::kV4, port);
  connected.Post();
  ASSERT_EQ(listener.Join(), 0);
  close(client);
  CollectEnds(port, 2);
  const Session session = TheSession(port, Direction::kPassive);
  EXPECT_THAT(session, IsOwnedBy(pid, "idle-listener"));
  EXPECT_FALSE(session.accepted);
  EXPECT_EQ(EndCauseOf(session), EndCause::kNotAccepted);
  EXPECT_EQ(EndCauseOf(TheSession(port, Direction::kActive)), EndCause::kRemoteReset);
  close(report[0]);
  close(report[1]);
}

TEST_F(InetCskAcceptTest, AcceptedAfterThePeersReset) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  const int client = Connect(Family::kV4, port);
  CloseWithReset(client);
  usleep(50'000);  // the end comes before the accept
  Actor server("late-acceptor", [listener] {
    close(Accept(listener));
    return 0;
  });
  const pid_t pid = server.pid();
  ASSERT_EQ(server.Join(), 0);
  CollectEnds(port, 2);
  const Session session = TheSession(port, Direction::kPassive);
  EXPECT_EQ(session.last_state, TcpState::kEstablished);
  EXPECT_EQ(EndCauseOf(session), EndCause::kRemoteReset);
  if (has_accept_hook()) {
    EXPECT_THAT(session, IsOwnedBy(pid, "late-acceptor"));
    EXPECT_TRUE(session.accepted);
  } else {
    // Nothing of this accept() shows in the tracepoint tier: the listener's.
    EXPECT_THAT(session, IsOwnedBy(getpid(), "kernel_test"));
  }
  close(listener);
}

// More tasks blocked in accept() than a kretprobe has instances (max(10, 2 x CPUs)).
TEST_F(InetCskAcceptTest, ManyBlockedAcceptors) {
  constexpr int kWorkers = 40;
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  std::vector<std::unique_ptr<Actor>> workers;
  for (int i = 0; i < kWorkers; ++i) {
    workers.push_back(std::make_unique<Actor>("blocked-" + std::to_string(i), [listener] {
      const int fd = Accept(listener);
      ReceiveToEnd(fd);
      close(fd);
      return 0;
    }));
  }
  usleep(300'000);
  for (int i = 0; i < kWorkers; ++i) {
    const int client = Connect(Family::kV4, port);
    SendAll(client, 1);
    close(client);
  }
  std::vector<std::pair<uint32_t, std::string>> expected;
  for (const auto& worker : workers) expected.emplace_back(worker->pid(), worker->name());
  for (const auto& worker : workers) ASSERT_EQ(worker->Join(), 0);
  CollectEnds(port, 2 * kWorkers);
  std::vector<std::pair<uint32_t, std::string>> owners;
  for (const Record& record : Records(port)) {
    if (record.kind == SessionRecord::Kind::kEnd &&
        record.session.direction == Direction::kPassive) {
      ASSERT_TRUE(record.session.process.has_value());
      owners.emplace_back(record.session.process->pid, record.session.process->name.view());
    }
  }
  EXPECT_THAT(owners, ::testing::UnorderedElementsAreArray(expected));
  close(listener);
}

TEST_F(InetCskAcceptTest, DescriptorPassedOnKeepsItsOwner) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  int channel[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, channel), 0);
  Actor receiver("fd-receiver", [&channel] {
    char octet;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    iovec data = {&octet, 1};
    msghdr message = {};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    Require(recvmsg(channel[1], &message, 0) == 1, "recvmsg");
    int fd;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    SendAll(fd, 4);
    close(fd);
    return 0;
  });
  Actor acceptor("fd-sender", [listener, &channel] {
    const int fd = Accept(listener);
    ReceiveAll(fd, 1);
    char octet = 0;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    iovec data = {&octet, 1};
    msghdr message = {};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    Require(sendmsg(channel[0], &message, 0) == 1, "sendmsg");
    close(fd);
    return 0;
  });
  const pid_t pid = acceptor.pid();
  const int client = Connect(Family::kV4, port);
  SendAll(client, 1);
  EXPECT_EQ(ReceiveToEnd(client), 4u);
  close(client);
  ASSERT_EQ(acceptor.Join(), 0);
  ASSERT_EQ(receiver.Join(), 0);
  CollectEnds(port, 2);
  EXPECT_THAT(TheSession(port, Direction::kPassive), IsOwnedBy(pid, "fd-sender"));
  close(channel[0]);
  close(channel[1]);
  close(listener);
}

}  // namespace
}  // namespace sockflow::testing
