// SPDX-License-Identifier: MIT
// Listeners hand their owner down to sockets that nobody accepts.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/kernel/kernel_test.h"

namespace sockflow::testing {
namespace {

using InetCskListenStartTest = KernelTest;

// One row for each way in which a listener's address relates to its socket's: exact, any address of
// the family, any address of both families.
class ListenerAddressTest : public KernelTest,
                            public ::testing::WithParamInterface<std::pair<Family, Family>> {};

TEST_P(ListenerAddressTest, OwnsWhatIsNeverAccepted) {
  const auto [listens, connects] = GetParam();
  uint16_t port;
  const int listener = Listen(listens, &port);
  const int client = Connect(connects, port);
  // On a busy machine the last segment of the handshake takes its time: without it there is no session
  // that could be accepted.
  pollfd waiting = {.fd = listener, .events = POLLIN, .revents = 0};
  ASSERT_EQ(poll(&waiting, 1, 10'000), 1);
  close(listener);
  close(client);
  CollectEnds(port, 2);
  const Session session = TheSession(port, Direction::kPassive);
  EXPECT_THAT(session, IsOwnedBy(getpid(), "kernel_test"));
  EXPECT_FALSE(session.accepted);
}

INSTANTIATE_TEST_SUITE_P(Addresses, ListenerAddressTest,
                         ::testing::Values(std::pair(Family::kV4, Family::kV4),
                                           std::pair(Family::kV6, Family::kV6),
                                           std::pair(Family::kV4Mapped, Family::kV4),
                                           std::pair(Family::kV4Mapped, Family::kV6)));

TEST_F(InetCskListenStartTest, ListeningIsNoSession) {
  uint16_t port;
  close(Listen(Family::kV4, &port));
  CollectFor(std::chrono::milliseconds(100));
  EXPECT_TRUE(Events(port).empty());
}

TEST_F(InetCskListenStartTest, SocketThatListenedMayConnect) {
  uint16_t other_port;
  const int other = Listen(Family::kV4, &other_port);
  uint16_t port;
  const int fd = Listen(Family::kV4, &port);
  // disconnect: it does not listen any more
  sockaddr unspecified = {};
  unspecified.sa_family = AF_UNSPEC;
  ASSERT_EQ(connect(fd, &unspecified, sizeof(unspecified)), 0);
  ASSERT_EQ(TryConnect(fd, Family::kV4, other_port), 0);
  const int accepted = Accept(other);
  close(fd);
  ReceiveToEnd(accepted);
  close(accepted);
  CollectEnds(other_port, 2);
  EXPECT_THAT(TheSession(other_port, Direction::kActive), IsOwnedBy(getpid(), "kernel_test"));
  EXPECT_THAT(TheSession(other_port, Direction::kPassive), IsOwnedBy(getpid(), "kernel_test"));
  close(other);
}

}  // namespace
}  // namespace sockflow::testing
