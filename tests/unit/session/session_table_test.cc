// SPDX-License-Identifier: MIT
#include "sockflow/session_table.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/session/session_table_fixture.h"

namespace sockflow {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(SessionTableTest, ActiveSession) {
  SessionTable table({});
  Apply(table, Event(Kind::kConnect, 1, "curl"));
  EXPECT_THAT(Drain(), ElementsAre("start 1 curl"));
  SessionEvent close = Event(Kind::kClose, 1, "curl", kBegin + seconds(3));
  close.tcp.octets_sent = 42;
  close.last_state = TcpState::kFinWait2;
  Apply(table, close);
  EXPECT_THAT(Drain(), ElementsAre("end 1 curl"));
  EXPECT_EQ(sessions_.back().tcp.octets_sent, 42u);
  EXPECT_EQ(sessions_.back().ended, kBegin + seconds(3));
  EXPECT_EQ(sessions_.back().last_state, TcpState::kFinWait2);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.stats().starts, 1u);
  EXPECT_EQ(table.stats().ends, 1u);
}

TEST_F(SessionTableTest, AcceptedSession) {
  SessionTable table({});
  Apply(table, Event(Kind::kAccept, 1, "nginx"));
  Apply(table, Event(Kind::kClose, 1, "nginx"));
  EXPECT_THAT(Drain(), ElementsAre("start 1 nginx", "end 1 nginx"));
}

TEST_F(SessionTableTest, DeadInTheQueueWaitsToBeAccepted) {
  SessionTable table({.dead_accept_hold = seconds(2)});
  SessionEvent close = Event(Kind::kClose, 1, "listener");
  close.accepted = false;
  close.may_be_accepted = true;
  close.announced = false;
  Apply(table, close);
  EXPECT_THAT(Drain(), IsEmpty());
  SessionEvent accept = Event(Kind::kAccept, 1, "worker", kBegin + seconds(1));
  accept.already_closed = true;
  Apply(table, accept);
  EXPECT_THAT(Drain(), ElementsAre("start 1 worker", "end 1 worker"));
  EXPECT_TRUE(sessions_.back().accepted);
  EXPECT_EQ(sessions_.back().ended, kBegin);
  EXPECT_EQ(table.size(), 0u);
}

TEST_F(SessionTableTest, DeadInTheQueueAndNeverAccepted) {
  SessionTable table({.dead_accept_hold = seconds(2)});
  SessionEvent close = Event(Kind::kClose, 1, "listener");
  close.accepted = false;
  close.may_be_accepted = true;
  close.announced = false;
  Apply(table, close);
  table.Expire(kBegin + seconds(2), Emit());
  EXPECT_THAT(Drain(), ElementsAre("start 1 listener", "end 1 listener"));
  EXPECT_FALSE(sessions_.back().accepted);
  // Accepted after all, too late: not a second session.
  SessionEvent accept = Event(Kind::kAccept, 1, "worker", kBegin + seconds(5));
  accept.already_closed = true;
  Apply(table, accept);
  EXPECT_THAT(Drain(), IsEmpty());
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.stats().late, 1u);
}

TEST_F(SessionTableTest, NeverAcceptedIsOneStartAndOneEnd) {
  SessionTable table({});
  SessionEvent close = Event(Kind::kClose, 1, "listener");
  close.accepted = false;
  close.announced = false;
  Apply(table, close);
  EXPECT_THAT(Drain(), ElementsAre("start 1 listener", "end 1 listener"));
  EXPECT_EQ(table.stats().repaired_starts, 0u);
}

TEST_F(SessionTableTest, LostStartIsMadeOfTheEnd) {
  SessionTable table({});
  SessionEvent close = Event(Kind::kClose, 1, "curl");
  close.announced = false;
  Apply(table, close);
  EXPECT_THAT(Drain(), ElementsAre("start 1 curl", "end 1 curl"));
  EXPECT_EQ(table.stats().repaired_starts, 1u);
}

TEST_F(SessionTableTest, AnAcceptThatTheEndOvertookIsNoSecondSession) {
  SessionTable table({.dead_accept_hold = seconds(2)});
  SessionEvent close = Event(Kind::kClose, 1, "worker");
  close.announced = false;
  Apply(table, close);
  EXPECT_THAT(Drain(), ElementsAre("start 1 worker", "end 1 worker"));
  Apply(table, Event(Kind::kAccept, 1, "worker"));
  EXPECT_THAT(Drain(), IsEmpty());
  EXPECT_EQ(table.stats().late, 1u);
  table.Expire(kBegin + seconds(2), Emit());
  EXPECT_THAT(Drain(), IsEmpty());
  EXPECT_EQ(table.size(), 0u);
}

TEST_F(SessionTableTest, FullTableForgetsTheOldestWhoseEndStillGoesOut) {
  SessionTable table({.max_sessions = 2});
  for (SessionId id : {1, 2, 3}) Apply(table, Event(Kind::kConnect, id, "curl"));
  EXPECT_THAT(Drain(), ElementsAre("start 1 curl", "start 2 curl", "start 3 curl"));
  EXPECT_EQ(table.size(), 2u);
  EXPECT_EQ(table.stats().evicted, 1u);
  Apply(table, Event(Kind::kClose, 1, "curl"));
  EXPECT_THAT(Drain(), ElementsAre("end 1 curl")) << "one start only";
  Apply(table, Event(Kind::kClose, 2, "curl"));
  Apply(table, Event(Kind::kClose, 3, "curl"));
  EXPECT_THAT(Drain(), ElementsAre("end 2 curl", "end 3 curl"));
}

TEST_F(SessionTableTest, AnEvictedSessionsEndCountsOnlyWhatWasNotTold) {
  SessionTable table({.max_sessions = 1});
  SessionEvent existing = Event(Kind::kExisting, 1, "old");
  existing.existing = true;
  existing.tcp.octets_sent = 100;
  Apply(table, existing);
  Apply(table, Event(Kind::kConnect, 2, "curl"));  // 1 is evicted
  SessionEvent update = Event(Kind::kUpdate, 2, "curl");
  update.tcp.octets_sent = 5;
  Apply(table, update);
  Apply(table, Event(Kind::kConnect, 3, "wget"));  // 2 is evicted, and of 1 nothing is known any more
  EXPECT_EQ(table.stats().recounted, 1u);
  update.tcp.octets_sent = 7;
  Apply(table, update);
  SessionEvent close = Event(Kind::kClose, 2, "curl");
  close.tcp.octets_sent = 12;
  Apply(table, close);
  EXPECT_EQ(sessions_.back().reported.octets_sent, 5u);
  EXPECT_EQ(sessions_.back().before.octets_sent, 0u);
  EXPECT_THAT(Drain(), ElementsAre("start 1 old", "start 2 curl", "update 2 curl", "start 3 wget", "end 2 curl"));
  // An id is told of once.
  close.tcp.octets_sent = 20;
  Apply(table, close);
  EXPECT_EQ(sessions_.back().reported.octets_sent, 0u);
}

TEST_F(SessionTableTest, AnEvictedOlderSessionCountsFromWhenItWasFound) {
  SessionTable table({.max_sessions = 1});
  SessionEvent existing = Event(Kind::kExisting, 1, "old");
  existing.existing = true;
  existing.tcp.octets_sent = 100;
  Apply(table, existing);
  Apply(table, Event(Kind::kConnect, 2, "curl"));
  SessionEvent close = Event(Kind::kClose, 1, "old");
  close.existing = true;
  close.tcp.octets_sent = 130;
  Apply(table, close);
  EXPECT_EQ(sessions_.back().before.octets_sent, 100u);
  EXPECT_EQ(sessions_.back().reported.octets_sent, 100u);
  EXPECT_EQ(table.stats().recounted, 0u);
}

TEST_F(SessionTableTest, WhatIsNotHeardOfForTwoRoundsHasEnded) {
  SessionTable table({});
  const auto round = [&] { table.EndUnheard(kBegin + seconds(100), Emit()); };
  Apply(table, Event(Kind::kConnect, 1, "gone"));
  Apply(table, Event(Kind::kConnect, 2, "there"));
  round();
  SessionEvent update = Event(Kind::kUpdate, 1, "gone", kBegin + seconds(5));
  update.tcp.octets_sent = 7;
  Apply(table, update);
  Apply(table, Event(Kind::kUpdate, 2, "there"));
  Apply(table, Event(Kind::kConnect, 3, "new"));
  Drain();
  round();
  Apply(table, Event(Kind::kUpdate, 2, "there"));
  round();
  EXPECT_THAT(Drain(), ElementsAre("update 2 there")) << "what tells the end may still come";
  Apply(table, Event(Kind::kUpdate, 2, "there"));
  Apply(table, Event(Kind::kUpdate, 3, "new"));
  round();
  EXPECT_THAT(Drain(), ElementsAre("update 2 there", "update 3 new", "end 1 gone"));
  EXPECT_EQ(sessions_.back().ended, kBegin + seconds(5));
  EXPECT_EQ(EndCauseOf(sessions_.back()), EndCause::kNotSeen);
  EXPECT_EQ(sessions_.back().tcp.octets_sent, 7u);
  EXPECT_EQ(table.stats().unseen_ends, 1u);
  EXPECT_EQ(table.stats().ends, 1u);
  // Its end after all.
  Apply(table, Event(Kind::kClose, 1, "gone"));
  EXPECT_THAT(Drain(), IsEmpty());
  EXPECT_EQ(table.stats().late, 1u);
}

TEST_F(SessionTableTest, FullOfWaitingSessionsReleasesTheOldest) {
  SessionTable table({.max_sessions = 1});
  Apply(table, Event(Kind::kEstablished, 1, "a"));
  Apply(table, Event(Kind::kEstablished, 2, "b"));
  EXPECT_THAT(Drain(), ElementsAre("start 1 a"));
  SessionEvent dead = Event(Kind::kClose, 3, "c");
  dead.accepted = false;
  dead.may_be_accepted = true;
  dead.announced = false;
  Apply(table, dead);
  EXPECT_THAT(Drain(), ElementsAre("start 2 b"));
  Apply(table, Event(Kind::kConnect, 4, "d"));
  EXPECT_THAT(Drain(), ElementsAre("start 3 c", "end 3 c", "start 4 d"));
  EXPECT_EQ(table.size(), 1u);
}

TEST_F(SessionTableTest, EventsThatRepeatMakeNoSecondRecord) {
  SessionTable table({});
  Apply(table, Event(Kind::kConnect, 1, "curl"));
  Apply(table, Event(Kind::kConnect, 1, "curl"));
  Apply(table, Event(Kind::kEstablished, 1, "curl"));
  EXPECT_THAT(Drain(), ElementsAre("start 1 curl"));
}

TEST_F(SessionTableTest, UpdatesGoOnlyToKnownSessions) {
  SessionTable table({});
  Apply(table, Event(Kind::kUpdate, 9, "x"));
  EXPECT_THAT(Drain(), IsEmpty());
  Apply(table, Event(Kind::kConnect, 1, "curl"));
  SessionEvent update = Event(Kind::kUpdate, 1, "curl");
  update.tcp.octets_sent = 5;
  Apply(table, update);
  EXPECT_THAT(Drain(), ElementsAre("start 1 curl", "update 1 curl"));
  EXPECT_EQ(sessions_.back().tcp.octets_sent, 5u);
}

TEST_F(SessionTableTest, AnUpdateReportsWhatCameSinceTheLast) {
  SessionTable table({});
  Apply(table, Event(Kind::kConnect, 1, "curl"));
  SessionEvent update = Event(Kind::kUpdate, 1, "curl", kBegin + seconds(300));
  for (const uint64_t sent : {5, 12}) {
    update.tcp.octets_sent = sent;
    Apply(table, update);
  }
  EXPECT_EQ(sessions_.back().tcp.octets_sent - sessions_.back().reported.octets_sent, 7u);
  EXPECT_EQ(sessions_.back().ended, kBegin + seconds(300));
  SessionEvent close = Event(Kind::kClose, 1, "curl", kBegin + seconds(301));
  close.tcp.octets_sent = 13;
  Apply(table, close);
  EXPECT_EQ(sessions_.back().reported.octets_sent, 12u);
  EXPECT_EQ(table.stats().updates, 2u);
  Apply(table, update);
  EXPECT_THAT(Drain(), ElementsAre("start 1 curl", "update 1 curl", "update 1 curl", "end 1 curl"));
}

TEST_F(SessionTableTest, WhatASessionCarriedBeforeItWasFoundIsNotReportedAsNew) {
  SessionTable table({});
  SessionEvent found = Event(Kind::kExisting, 1, "sshd");
  found.existing = true;
  found.tcp.octets_sent = 100;
  Apply(table, found);
  Apply(table, found);
  SessionEvent close = Event(Kind::kClose, 1, "sshd");
  close.tcp.octets_sent = 130;
  Apply(table, close);
  EXPECT_THAT(Drain(), ElementsAre("start 1 sshd", "end 1 sshd"));
  EXPECT_TRUE(sessions_.back().existing);
  EXPECT_EQ(sessions_.back().reported.octets_sent, 100u);
  EXPECT_EQ(sessions_.back().tcp.octets_sent, 130u);
}

TEST_F(SessionTableTest, AnOlderSessionThatWasNeverFoundStartsAndEndsAtOnce) {
  SessionTable table({});
  SessionEvent close = Event(Kind::kClose, 1, nullptr);
  close.existing = true;
  close.announced = false;
  Apply(table, close);
  EXPECT_THAT(Drain(), ElementsAre("start 1 ?", "end 1 ?"));
  EXPECT_EQ(table.stats().repaired_starts, 0u);
}

TEST_F(SessionTableTest, AClockSetBackDoesNotEndASessionBeforeItBegan) {
  SessionTable table({});
  Apply(table, Event(Kind::kConnect, 1, "curl"));
  Apply(table, Event(Kind::kClose, 1, "curl", kBegin - std::chrono::hours(1)));
  EXPECT_EQ(sessions_.back().ended, sessions_.back().started);
}

TEST_F(SessionTableTest, WhatTheSourceSaysOfTheEndCounts) {
  SessionTable table({});
  SessionEvent close = Event(Kind::kClose, 1, "curl");
  close.last_state = TcpState::kLastAck;
  close.end_cause = EndCause::kNotSeen;
  Apply(table, close);
  EXPECT_EQ(EndCauseOf(sessions_.back()), EndCause::kNotSeen);
}

TEST_F(SessionTableTest, FlushEmitsAllThatWaits) {
  SessionTable table({});
  Apply(table, Event(Kind::kConnect, 1, "open"));
  Apply(table, Event(Kind::kEstablished, 2, "waits"));
  SessionEvent dead = Event(Kind::kClose, 3, "dead");
  dead.accepted = false;
  dead.may_be_accepted = true;
  dead.announced = false;
  Apply(table, dead);
  Drain();
  table.Flush(Emit());
  // What is still open has not ended: no end is invented.
  EXPECT_THAT(Drain(), ElementsAre("start 2 waits", "start 3 dead", "end 3 dead"));
}

}  // namespace
}  // namespace sockflow
