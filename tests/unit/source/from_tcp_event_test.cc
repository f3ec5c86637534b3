// SPDX-License-Identifier: MIT
#include "source/ebpf/from_tcp_event.h"

#include <sys/socket.h>
#include <time.h>

#include <cstring>

#include "gtest/gtest.h"

namespace sockflow {
namespace {

tcp_event AnEvent() {
  tcp_event event = {};
  event.session_id = 99;
  event.time_ns = 3'000;
  event.start_ns = 1'000;
  event.family = AF_INET;
  event.local_port = 50000;
  event.remote_port = 80;
  const uint8_t local[] = {192, 0, 2, 1}, remote[] = {192, 0, 2, 2};
  memcpy(event.local_address, local, 4);
  memcpy(event.remote_address, remote, 4);
  return event;
}

TEST(FromTcpEventTest, TupleTimesAndFacts) {
  const WallClock clock;
  tcp_event event = AnEvent();
  event.kind = TCP_EVENT_CLOSE;
  event.direction = TCP_EVENT_PASSIVE;
  event.flags = TCP_EVENT_ACCEPTED | TCP_EVENT_FIN_RECEIVED | TCP_EVENT_ANNOUNCED;
  event.old_state = 9;
  event.established_ns = 2'000;
  event.octets_sent = 1;
  event.octets_received = 2;
  event.packets_sent = 3;
  event.packets_received = 4;
  event.error = 104;
  const SessionEvent result = FromTcpEvent(event, clock);
  EXPECT_EQ(result.kind, SessionEvent::Kind::kClose);
  EXPECT_EQ(result.direction, Direction::kPassive);
  EXPECT_EQ(result.id, 99u);
  EXPECT_EQ(ToString(result.local), "192.0.2.1:50000");
  EXPECT_EQ(ToString(result.remote), "192.0.2.2:80");
  EXPECT_EQ(result.at - result.started, std::chrono::nanoseconds(2'000));
  ASSERT_TRUE(result.established.has_value());
  EXPECT_EQ(*result.established - result.started, std::chrono::nanoseconds(1'000));
  EXPECT_EQ(result.last_state, TcpState::kLastAck);
  EXPECT_TRUE(result.accepted);
  EXPECT_TRUE(result.announced);
  EXPECT_TRUE(result.tcp.fin_received);
  EXPECT_EQ(result.tcp.octets_sent, 1u);
  EXPECT_EQ(result.tcp.octets_received, 2u);
  EXPECT_EQ(result.tcp.packets_sent, 4u) << "and the SYN+ACK";
  EXPECT_EQ(result.tcp.packets_received, 4u);
  EXPECT_EQ(result.tcp.error, 104);
  EXPECT_FALSE(result.process.has_value());
}

TEST(FromTcpEventTest, AnActiveSocketCountsItsSyn) {
  tcp_event event = AnEvent();
  event.kind = TCP_EVENT_CLOSE;
  event.direction = TCP_EVENT_ACTIVE;
  event.packets_sent = 3;
  EXPECT_EQ(FromTcpEvent(event, WallClock()).tcp.packets_sent, 3u);
}

TEST(FromTcpEventTest, AnAbortSendsItsResetAfterTheEvent) {
  const auto sent = [](TcpState old_state, uint16_t error, tcp_event_kind kind = TCP_EVENT_CLOSE) {
    tcp_event event = AnEvent();
    event.kind = kind;
    event.old_state = static_cast<uint8_t>(old_state);
    event.error = error;
    event.packets_sent = 3;
    return FromTcpEvent(event, WallClock()).tcp.packets_sent;
  };
  EXPECT_EQ(sent(TcpState::kEstablished, 0), 4u);
  EXPECT_EQ(sent(TcpState::kCloseWait, 0), 4u);
  EXPECT_EQ(sent(TcpState::kEstablished, 104), 3u) << "the peer's";
  EXPECT_EQ(sent(TcpState::kLastAck, 0), 3u);
  EXPECT_EQ(sent(TcpState::kFinWait2, 0), 3u);
  EXPECT_EQ(sent(TcpState::kSynSent, 0), 3u);
  EXPECT_EQ(sent(TcpState::kEstablished, 0, TCP_EVENT_UPDATE), 3u);
}

TEST(FromTcpEventTest, WhoHoldsAnOlderSocketIsAGuess) {
  tcp_event event = AnEvent();
  event.kind = TCP_EVENT_EXISTING;
  event.direction = TCP_EVENT_PASSIVE;
  event.flags = TCP_EVENT_OWNED | TCP_EVENT_HELD | TCP_EVENT_UNSEEN_START;
  SessionEvent result = FromTcpEvent(event, WallClock());
  EXPECT_EQ(result.kind, SessionEvent::Kind::kExisting);
  EXPECT_TRUE(result.existing);
  EXPECT_EQ(result.attribution, Attribution::kHolder);
  event.kind = TCP_EVENT_UPDATE;
  event.flags = TCP_EVENT_OWNED | TCP_EVENT_ACCEPTED;
  result = FromTcpEvent(event, WallClock());
  EXPECT_EQ(result.kind, SessionEvent::Kind::kUpdate);
  EXPECT_FALSE(result.existing);
  EXPECT_EQ(result.attribution, Attribution::kCaller);
}

TEST(FromTcpEventTest, AKilledOwnerIsTheCauseUnlessThePeerWasFirst) {
  tcp_event event = AnEvent();
  event.kind = TCP_EVENT_CLOSE;
  event.flags = TCP_EVENT_OWNED | TCP_EVENT_ACCEPTED | TCP_EVENT_OWNER_KILLED;
  EXPECT_EQ(FromTcpEvent(event, WallClock()).end_cause, EndCause::kOwnerKilled);
  event.error = 104;
  EXPECT_EQ(FromTcpEvent(event, WallClock()).end_cause, EndCause::kNone);
}

TEST(FromTcpEventTest, MappedAddressBecomesIpv4) {
  tcp_event event = AnEvent();
  event.family = AF_INET6;
  memset(event.local_address, 0, 16);
  event.local_address[10] = event.local_address[11] = 0xff;
  const uint8_t v4[] = {127, 0, 0, 1};
  memcpy(event.local_address + 12, v4, 4);
  const SessionEvent result = FromTcpEvent(event, WallClock());
  EXPECT_EQ(result.local.address.ToString(), "127.0.0.1");
  EXPECT_FALSE(result.remote.address.is_v4());
}

TEST(FromTcpEventTest, OwnerAndNamesWithoutNul) {
  tcp_event event = AnEvent();
  event.flags = TCP_EVENT_OWNED;
  event.owner.tgid = 5;
  event.owner.uid = 1000;
  memset(event.owner.name, 'n', sizeof(event.owner.name));  // the kernel always ends it; be sure
  strcpy(event.owner.thread_name, "thread");
  const SessionEvent result = FromTcpEvent(event, WallClock());
  ASSERT_TRUE(result.process.has_value());
  EXPECT_EQ(result.process->pid, 5u);
  EXPECT_EQ(result.process->uid, 1000u);
  EXPECT_EQ(result.process->name.view(), std::string(15, 'n'));
  EXPECT_EQ(result.process->thread_name.view(), "thread");
}

TEST(FromTcpEventTest, HowTheOwnerIsKnown) {
  const WallClock clock;
  const auto attribution = [&](tcp_event_kind kind, tcp_event_direction direction, int flags) {
    tcp_event event = AnEvent();
    event.kind = kind;
    event.direction = direction;
    event.flags = flags;
    return FromTcpEvent(event, clock).attribution;
  };
  EXPECT_EQ(attribution(TCP_EVENT_CONNECT, TCP_EVENT_ACTIVE, TCP_EVENT_OWNED),
            Attribution::kCaller);
  EXPECT_EQ(attribution(TCP_EVENT_ESTABLISHED, TCP_EVENT_PASSIVE, TCP_EVENT_OWNED),
            Attribution::kListener);
  EXPECT_EQ(attribution(TCP_EVENT_ACCEPT, TCP_EVENT_PASSIVE, TCP_EVENT_OWNED),
            Attribution::kCaller);
  // Of a close alone: what the kernel knew last is who accepted it, if somebody did.
  EXPECT_EQ(attribution(TCP_EVENT_CLOSE, TCP_EVENT_PASSIVE, TCP_EVENT_OWNED | TCP_EVENT_ACCEPTED),
            Attribution::kCaller);
  EXPECT_EQ(attribution(TCP_EVENT_CLOSE, TCP_EVENT_PASSIVE, TCP_EVENT_OWNED),
            Attribution::kListener);
  EXPECT_EQ(attribution(TCP_EVENT_CLOSE, TCP_EVENT_PASSIVE, TCP_EVENT_ACCEPTED),
            Attribution::kUnknown);
}

TEST(WallClockTest, AgreesWithTheSystemAndIsSteady) {
  WallClock clock;
  timespec monotonic;
  clock_gettime(CLOCK_MONOTONIC, &monotonic);
  const Time wall =
      clock.FromMonotonic(uint64_t(monotonic.tv_sec) * 1'000'000'000 + monotonic.tv_nsec);
  const auto error = std::chrono::system_clock::now() - wall;
  EXPECT_LT(std::chrono::abs(error), std::chrono::milliseconds(100));
  const Time before = clock.FromMonotonic(1'000'000);
  for (int i = 0; i < 1000; ++i) clock.Follow();
  EXPECT_EQ(clock.FromMonotonic(1'000'000), before) << "the same moment, the same time";
}

}  // namespace
}  // namespace sockflow
