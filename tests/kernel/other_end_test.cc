// SPDX-License-Identifier: MIT
// tcp_set_state(): sessions that end by RST or because their owner is killed.
#include <unistd.h>

#include "tests/kernel/kernel_test.h"

namespace sockflow::testing {
namespace {

using OtherEndTest = KernelTest;

TEST_F(OtherEndTest, ClientResets) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  Gate accepted;
  Actor client("rst-client", [port, &accepted] {
    const int fd = Connect(Family::kV4, port);
    SendAll(fd, 50);
    accepted.Wait();
    CloseWithReset(fd);
    return 0;
  });
  const pid_t pid = client.pid();
  const int fd = Accept(listener);
  accepted.Post();
  ASSERT_EQ(client.Join(), 0);
  close(fd);
  CollectEnds(port, 2);
  const Session active = TheSession(port, Direction::kActive);
  const Session passive = TheSession(port, Direction::kPassive);
  EXPECT_THAT(active, IsOwnedBy(pid, "rst-client"));
  EXPECT_THAT(passive, IsOwnedBy(getpid(), "kernel_test"));
  EXPECT_EQ(EndCauseOf(active), EndCause::kLocalReset);
  EXPECT_EQ(EndCauseOf(passive), EndCause::kRemoteReset);
  EXPECT_EQ(passive.tcp.octets_received, 50u);
  EXPECT_TRUE(passive.accepted);
  close(listener);
}

TEST_F(OtherEndTest, ServerResets) {
  uint16_t port;
  const int listener = Listen(Family::kV6, &port);
  Actor server("rst-server", [listener] {
    const int fd = Accept(listener);
    ReceiveAll(fd, 1);
    CloseWithReset(fd);
    return 0;
  });
  const pid_t pid = server.pid();
  const int client = Connect(Family::kV6, port);
  SendAll(client, 1);
  ASSERT_EQ(server.Join(), 0);
  close(client);
  CollectEnds(port, 2);
  const Session passive = TheSession(port, Direction::kPassive);
  EXPECT_THAT(passive, IsOwnedBy(pid, "rst-server"));
  EXPECT_EQ(EndCauseOf(passive), EndCause::kLocalReset);
  EXPECT_TRUE(passive.accepted);
  EXPECT_EQ(EndCauseOf(TheSession(port, Direction::kActive)), EndCause::kRemoteReset);
  close(listener);
}

TEST_F(OtherEndTest, ClientIsKilled) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  Actor client("killed-client", [port] {
    const int fd = Connect(Family::kV4, port);
    SendAll(fd, 10);
    pause();
    return fd;
  });
  const pid_t pid = client.pid();
  const int fd = Accept(listener);
  ReceiveAll(fd, 10);
  client.Kill();
  ReceiveToEnd(fd);
  close(fd);
  CollectEnds(port, 2);
  const Session active = TheSession(port, Direction::kActive);
  EXPECT_THAT(active, IsOwnedBy(pid, "killed-client"));
  EXPECT_EQ(active.tcp.octets_sent, 10u);
  EXPECT_EQ(EndCauseOf(active), EndCause::kOwnerKilled);
  EXPECT_EQ(EndCauseOf(TheSession(port, Direction::kPassive)), EndCause::kRemoteFin);
  close(listener);
}

TEST_F(OtherEndTest, ServerIsKilled) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  Gate ready;
  Actor server("killed-server", [listener, &ready] {
    const int fd = Accept(listener);
    ReceiveAll(fd, 4);
    ready.Post();
    pause();
    return fd;
  });
  const pid_t pid = server.pid();
  const int client = Connect(Family::kV4, port);
  SendAll(client, 4);
  ready.Wait();
  server.Kill();
  ReceiveToEnd(client);
  close(client);
  CollectEnds(port, 2);
  const Session passive = TheSession(port, Direction::kPassive);
  EXPECT_THAT(passive, IsOwnedBy(pid, "killed-server"));
  EXPECT_EQ(passive.tcp.octets_received, 4u);
  EXPECT_EQ(EndCauseOf(passive), EndCause::kOwnerKilled);
  close(listener);
}

}  // namespace
}  // namespace sockflow::testing
