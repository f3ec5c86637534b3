// SPDX-License-Identifier: MIT
// tcp_set_state(): sessions that end by FIN, over each address family, and what they carried.
#include <sys/socket.h>
#include <unistd.h>

#include <set>

#include "tests/kernel/kernel_test.h"

namespace sockflow::testing {
namespace {

class OrderlyEndTest : public KernelTest, public ::testing::WithParamInterface<Family> {
 protected:
  void ExpectLoopbackTuple(const Session& client, const Session& server, uint16_t port) {
    const char* address = GetParam() == Family::kV6 ? "::1" : "127.0.0.1";
    EXPECT_EQ(client.remote, (Endpoint{*IpAddress::Parse(address), port}));
    EXPECT_EQ(client.local.address.ToString(), address);
    EXPECT_EQ(client.local, server.remote);
    EXPECT_EQ(client.remote, server.local);
    EXPECT_EQ(client.source(), server.source());
    EXPECT_EQ(client.netns, server.netns);
  }
};

TEST_P(OrderlyEndTest, ClientClosesFirst) {
  uint16_t port;
  const int listener = Listen(GetParam(), &port);
  Actor server("end-server", [listener] {
    const int fd = Accept(listener);
    ReceiveToEnd(fd);
    SendAll(fd, 2000);
    close(fd);
    return 0;
  });
  Actor client("end-client", [port] {
    const int fd = Connect(GetParam(), port);
    SendAll(fd, 100'000);
    shutdown(fd, SHUT_WR);  // half close: the answer still comes
    ReceiveToEnd(fd);
    close(fd);
    return 0;
  });
  const pid_t server_pid = server.pid(), client_pid = client.pid();
  ASSERT_EQ(client.Join(), 0);
  ASSERT_EQ(server.Join(), 0);
  CollectEnds(port, 2);

  const Session active = TheSession(port, Direction::kActive);
  const Session passive = TheSession(port, Direction::kPassive);
  EXPECT_THAT(active, IsOwnedBy(client_pid, "end-client"));
  EXPECT_THAT(passive, IsOwnedBy(server_pid, "end-server"));
  ExpectLoopbackTuple(active, passive, port);
  EXPECT_NE(active.id, passive.id);
  EXPECT_EQ(EndCauseOf(active), EndCause::kLocalFin);
  EXPECT_EQ(EndCauseOf(passive), EndCause::kRemoteFin);
  EXPECT_EQ(active.tcp.octets_sent, 100'000u);
  EXPECT_EQ(active.tcp.octets_received, 2000u);
  EXPECT_EQ(passive.tcp.octets_sent, 2000u);
  EXPECT_EQ(passive.tcp.octets_received, 100'000u);
  // What comes for a socket that waits out its time is not counted: its peer's FIN, perhaps again.
  EXPECT_NEAR(passive.tcp.packets_sent, active.tcp.packets_received, 2);
  EXPECT_NEAR(passive.tcp.packets_received, active.tcp.packets_sent, 2);
  EXPECT_GE(active.tcp.packets_sent, 3u);
  EXPECT_GE(active.tcp.packets_received, 3u);
  EXPECT_GE(active.tcp.tcp_header_octets, 20u);
  EXPECT_GT(active.tcp.smoothed_rtt_us, 0u);
  EXPECT_GT(active.tcp.minimum_rtt_us, 0u);
  EXPECT_TRUE(active.established && passive.established);
  EXPECT_TRUE(passive.accepted);
}

TEST_P(OrderlyEndTest, ServerClosesFirst) {
  uint16_t port;
  const int listener = Listen(GetParam(), &port);
  Actor client("end-client", [port] {
    const int fd = Connect(GetParam(), port);
    ReceiveToEnd(fd);
    close(fd);
    return 0;
  });
  const pid_t client_pid = client.pid();
  const int fd = Accept(listener);
  SendAll(fd, 321);
  close(fd);
  ASSERT_EQ(client.Join(), 0);
  CollectEnds(port, 2);
  const Session active = TheSession(port, Direction::kActive);
  const Session passive = TheSession(port, Direction::kPassive);
  EXPECT_THAT(active, IsOwnedBy(client_pid, "end-client"));
  EXPECT_THAT(passive, IsOwnedBy(getpid(), "kernel_test"));
  ExpectLoopbackTuple(active, passive, port);
  EXPECT_EQ(EndCauseOf(active), EndCause::kRemoteFin);
  EXPECT_EQ(EndCauseOf(passive), EndCause::kLocalFin);
  EXPECT_EQ(active.tcp.octets_received, 321u);
  EXPECT_EQ(active.tcp.octets_sent, 0u);
  EXPECT_EQ(passive.tcp.octets_sent, 321u);
  EXPECT_EQ(passive.tcp.octets_received, 0u);
  close(listener);
}

INSTANTIATE_TEST_SUITE_P(Families, OrderlyEndTest,
                         ::testing::Values(Family::kV4, Family::kV6, Family::kV4Mapped),
                         [](const auto& family) {
                           return family.param == Family::kV4   ? "V4"
                                  : family.param == Family::kV6 ? "V6"
                                                                : "V4Mapped";
                         });

using SessionIdTest = KernelTest;

TEST_F(SessionIdTest, IsUniqueThoughTheKernelUsesSocketsAgain) {
  constexpr int kSessions = 300;
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  for (int i = 0; i < kSessions; ++i) {
    const int client = Connect(Family::kV4, port);
    const int server = Accept(listener);
    CloseWithReset(client);
    close(server);
  }
  CollectEnds(port, 2 * kSessions);
  std::set<SessionId> ids;
  for (const Record& record : Records(port)) {
    if (record.kind == SessionRecord::Kind::kStart) ids.insert(record.session.id);
  }
  EXPECT_EQ(ids.size(), 2u * kSessions);
  close(listener);
}

}  // namespace
}  // namespace sockflow::testing
