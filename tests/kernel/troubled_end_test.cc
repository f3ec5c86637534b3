// SPDX-License-Identifier: MIT
// Sessions that a network fails: what is lost, and why they end. And two ends that close at once.
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "tests/kernel/kernel_test.h"
#include "tests/kernel/packet_drop.h"
#include "tests/kernel/unreachable_router.h"

namespace sockflow::testing {
namespace {

constexpr unsigned kGiveUpMs = 300;

void GiveUpSoon(int fd) {
  const unsigned milliseconds = kGiveUpMs;
  Require(setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof(milliseconds)) == 0,
          "TCP_USER_TIMEOUT");
}

tcp_info Measure(int fd) {
  tcp_info info = {};
  socklen_t length = sizeof(info);
  Require(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0, "TCP_INFO");
  return info;
}

class TroubledEndTest : public KernelTest, public ::testing::WithParamInterface<Family> {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (!IsSkipped()) listener_ = Listen(GetParam(), &port_);
  }
  void TearDown() override {
    if (listener_ >= 0) close(listener_);
  }

  int listener_ = -1;
  uint16_t port_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Families, TroubledEndTest, ::testing::Values(Family::kV4, Family::kV6));

TEST_P(TroubledEndTest, WhatWasLostAndMeasuredIsWhatTheSocketTells) {
  const int client = Connect(GetParam(), port_);
  const int server = Accept(listener_);
  SendAll(client, 1000);
  ReceiveAll(server, 1000);
  DropAll(server);
  SendAll(client, 100);
  while (Measure(client).tcpi_total_retrans < 1) usleep(10'000);
  DropNothing(server);
  ReceiveAll(server, 100);
  SendAll(server, 10);
  ReceiveAll(client, 10);
  const tcp_info measured = Measure(client);
  CloseWithReset(client);
  close(server);
  CollectEnds(port_, 2);
  const TcpFacts facts = TheSession(port_, Direction::kActive).tcp;
  EXPECT_EQ(facts.retransmitted_packets, measured.tcpi_total_retrans);
  EXPECT_EQ(facts.packets_sent, measured.tcpi_segs_out + 1) << "and the RST";
  EXPECT_EQ(facts.packets_received, measured.tcpi_segs_in);
  EXPECT_EQ(facts.smoothed_rtt_us, measured.tcpi_rtt);
  EXPECT_EQ(facts.minimum_rtt_us, measured.tcpi_min_rtt);
  EXPECT_EQ(facts.octets_sent, 1100u) << "each once";
  EXPECT_EQ(facts.octets_received, 10u);
  const TcpFacts others = TheSession(port_, Direction::kPassive).tcp;
  EXPECT_EQ(others.octets_sent, 10u);
  EXPECT_EQ(others.octets_received, 1100u);
  EXPECT_EQ(others.retransmitted_packets, 0u);
}

TEST_P(TroubledEndTest, ARouterReportsThatItIsUnreachable) {
  DropAll(listener_);
  UnreachableRouter router;
  const int fd = NewSocket(GetParam());
  ASSERT_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  ASSERT_EQ(TryConnect(fd, GetParam(), port_), EINPROGRESS);
  router.Report(port_);
  CollectEnds(port_, 1);
  close(fd);
  const Session session = TheSession(port_, Direction::kActive);
  EXPECT_THAT(session, IsOwnedBy(getpid(), "kernel_test"));
  EXPECT_EQ(session.tcp.error, EHOSTUNREACH);
  EXPECT_FALSE(session.established.has_value());
  EXPECT_EQ(EndCauseOf(session), EndCause::kUnreachable);
}

TEST_P(TroubledEndTest, ThePeerDoesNotAnswerAnyMore) {
  const int client = Connect(GetParam(), port_);
  const int server = Accept(listener_);
  DropAll(server);
  GiveUpSoon(client);
  SendAll(client, 500);
  char octet;
  EXPECT_EQ(recv(client, &octet, 1, 0), -1);
  EXPECT_EQ(errno, ETIMEDOUT);
  // Now the other end hears that there is nobody.
  DropNothing(server);
  SendAll(server, 1);
  EXPECT_EQ(recv(server, &octet, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
  close(client);
  close(server);
  CollectEnds(port_, 2);
  const Session active = TheSession(port_, Direction::kActive);
  EXPECT_EQ(active.tcp.error, ETIMEDOUT);
  EXPECT_EQ(EndCauseOf(active), EndCause::kTimedOut);
  EXPECT_EQ(active.tcp.octets_sent, 500u);
  const Session passive = TheSession(port_, Direction::kPassive);
  EXPECT_EQ(EndCauseOf(passive), EndCause::kRemoteReset);
  EXPECT_EQ(passive.tcp.octets_received, 0u);
}

TEST_P(TroubledEndTest, BothCloseBeforeTheyHearOfTheOther) {
  const int client = Connect(GetParam(), port_);
  const int server = Accept(listener_);
  DropAll(client);
  shutdown(server, SHUT_WR);
  shutdown(client, SHUT_WR);
  DropNothing(client);
  ReceiveToEnd(client);  // the FIN that was lost comes again
  ReceiveToEnd(server);
  close(client);
  close(server);
  CollectEnds(port_, 2);
  EXPECT_EQ(EndCauseOf(TheSession(port_, Direction::kActive)), EndCause::kLocalFin);
  const Session passive = TheSession(port_, Direction::kPassive);
  EXPECT_EQ(EndCauseOf(passive), EndCause::kLocalFin);
  EXPECT_EQ(passive.last_state, TcpState::kClosing);
}

TEST_P(TroubledEndTest, ClosedWithUnreadDataItIsReset) {
  const int client = Connect(GetParam(), port_);
  const int server = Accept(listener_);
  SendAll(server, 100);
  char octet;
  ASSERT_EQ(recv(client, &octet, 1, MSG_PEEK), 1);
  const uint32_t sent = Measure(client).tcpi_segs_out;
  close(client);
  EXPECT_EQ(recv(server, &octet, 1, 0), -1);
  close(server);
  CollectEnds(port_, 2);
  const Session active = TheSession(port_, Direction::kActive);
  EXPECT_EQ(EndCauseOf(active), EndCause::kLocalReset);
  EXPECT_EQ(active.tcp.packets_sent, sent + 1);
  EXPECT_EQ(active.tcp.octets_received, 100u);
  EXPECT_EQ(EndCauseOf(TheSession(port_, Direction::kPassive)), EndCause::kRemoteReset);
}

}  // namespace
}  // namespace sockflow::testing
