// SPDX-License-Identifier: MIT
#include "sockflow/session.h"

#include "gtest/gtest.h"

namespace sockflow {
namespace {

Session Ended(TcpState state, uint16_t error = 0, bool accepted = true) {
  Session session;
  session.last_state = state;
  session.tcp.error = error;
  session.accepted = accepted;
  return session;
}

TEST(EndCauseTest, EveryWayToEnd) {
  EXPECT_EQ(EndCauseOf(Ended(TcpState::kFinWait1)), EndCause::kLocalFin);
  EXPECT_EQ(EndCauseOf(Ended(TcpState::kFinWait2)), EndCause::kLocalFin);
  EXPECT_EQ(EndCauseOf(Ended(TcpState::kClosing)), EndCause::kLocalFin);
  EXPECT_EQ(EndCauseOf(Ended(TcpState::kLastAck)), EndCause::kRemoteFin);
  EXPECT_EQ(EndCauseOf(Ended(TcpState::kEstablished)), EndCause::kLocalReset);
  EXPECT_EQ(EndCauseOf(Ended(TcpState::kCloseWait)), EndCause::kLocalReset);
  EXPECT_EQ(EndCauseOf(Ended(TcpState::kEstablished, 104)), EndCause::kRemoteReset);
  EXPECT_EQ(EndCauseOf(Ended(TcpState::kCloseWait, 32)), EndCause::kRemoteReset);
  EXPECT_EQ(EndCauseOf(Ended(TcpState::kSynSent, 111)), EndCause::kRefused);
  EXPECT_EQ(EndCauseOf(Ended(TcpState::kSynSent, 110)), EndCause::kTimedOut);
  EXPECT_EQ(EndCauseOf(Ended(TcpState::kEstablished, 110)), EndCause::kTimedOut);
  EXPECT_EQ(EndCauseOf(Ended(TcpState::kSynSent, 113)), EndCause::kUnreachable);
  EXPECT_EQ(EndCauseOf(Ended(TcpState::kSynSent, 101)), EndCause::kUnreachable);
  EXPECT_EQ(EndCauseOf(Ended(TcpState::kEstablished, 0, false)), EndCause::kNotAccepted);
}

TEST(SessionTest, AnEndThatOnlyTheSocketsOwnTells) {
  Session session = Ended(TcpState::kClose);
  EXPECT_EQ(EndCauseOf(session), EndCause::kNotSeen) << "a connect that failed, its facts forgotten";
  session.tcp.packets_sent = 1;
  EXPECT_EQ(EndCauseOf(session), EndCause::kLocalReset);
  session.tcp.fin_received = true;
  EXPECT_EQ(EndCauseOf(session), EndCause::kRemoteFin);
}

TEST(SessionTest, SourceIsTheInitiatorOnBothSides) {
  Session session;
  session.local = {*IpAddress::Parse("192.0.2.1"), 50000};
  session.remote = {*IpAddress::Parse("192.0.2.2"), 80};
  session.tcp.octets_sent = 10;
  session.tcp.octets_received = 20;
  session.tcp.packets_sent = 1;
  session.tcp.packets_received = 2;
  session.direction = Direction::kActive;
  EXPECT_EQ(session.source(), session.local);
  EXPECT_EQ(session.destination(), session.remote);
  EXPECT_EQ(session.initiator_octets(session.tcp), 10u);
  EXPECT_EQ(session.responder_packets(session.tcp), 2u);
  session.direction = Direction::kPassive;
  EXPECT_EQ(session.source(), session.remote);
  EXPECT_EQ(session.destination(), session.local);
  EXPECT_EQ(session.initiator_octets(session.tcp), 20u);
  EXPECT_EQ(session.responder_octets(session.tcp), 10u);
  EXPECT_EQ(session.initiator_packets(session.tcp), 2u);
  EXPECT_EQ(session.responder_packets(session.tcp), 1u);
}

}  // namespace
}  // namespace sockflow
