// SPDX-License-Identifier: MIT
// What the session table makes of what it hears of the owners of sessions.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/session/session_table_fixture.h"

namespace sockflow {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(SessionTableTest, EstablishedWaitsForTheNameOfWhoAccepts) {
  SessionTable table({.owner_hold = milliseconds(250)});
  Apply(table, Event(Kind::kEstablished, 1, "parent"));
  EXPECT_THAT(Drain(), IsEmpty());
  EXPECT_EQ(table.NextDeadline(), kBegin + milliseconds(250));
  Apply(table, Event(Kind::kAccept, 1, "worker"));
  EXPECT_THAT(Drain(), ElementsAre("start 1 worker"));
  EXPECT_EQ(table.NextDeadline(), Time::max());
  Apply(table, Event(Kind::kClose, 1, "worker"));
  EXPECT_THAT(Drain(), ElementsAre("end 1 worker"));
}

TEST_F(SessionTableTest, WaitForTheNameIsBounded) {
  SessionTable table({.owner_hold = milliseconds(250)});
  Apply(table, Event(Kind::kEstablished, 1, "parent"));
  table.Expire(kBegin + milliseconds(249), Emit());
  EXPECT_THAT(Drain(), IsEmpty());
  table.Expire(kBegin + milliseconds(250), Emit());
  EXPECT_THAT(Drain(), ElementsAre("start 1 parent"));
  table.Expire(kBegin + seconds(10), Emit());
  EXPECT_THAT(Drain(), IsEmpty());
  // The name that comes later is the end's.
  Apply(table, Event(Kind::kAccept, 1, "worker"));
  EXPECT_THAT(Drain(), IsEmpty());
  Apply(table, Event(Kind::kClose, 1, "worker"));
  EXPECT_THAT(Drain(), ElementsAre("end 1 worker"));
}

TEST_F(SessionTableTest, CloseEndsTheWaitAndNamesTheStart) {
  SessionTable table({});
  Apply(table, Event(Kind::kEstablished, 1, "parent"));
  Apply(table, Event(Kind::kClose, 1, "closer"));
  EXPECT_THAT(Drain(), ElementsAre("start 1 closer", "end 1 closer"));
  EXPECT_EQ(table.NextDeadline(), Time::max());
}

TEST_F(SessionTableTest, WhatWaitsForItsOwnerIsHeardOfWhenItIsReleased) {
  SessionTable table({});
  const auto round = [&] { table.EndUnheard(kBegin, Emit()); };
  Apply(table, Event(Kind::kEstablished, 1, "listener"));
  for (int i = 0; i < 5; ++i) round();
  EXPECT_THAT(Drain(), IsEmpty());
  Apply(table, Event(Kind::kAccept, 1, "nginx"));
  round();
  round();
  EXPECT_THAT(Drain(), ElementsAre("start 1 nginx"));
  round();
  EXPECT_THAT(Drain(), ElementsAre("end 1 nginx"));
}

TEST_F(SessionTableTest, AnUpdateEndsTheWaitForAnOwner) {
  SessionTable table({});
  Apply(table, Event(Kind::kEstablished, 1, "listener"));
  Apply(table, Event(Kind::kUpdate, 1, "listener"));
  EXPECT_THAT(Drain(), ElementsAre("start 1 listener", "update 1 listener"));
}

TEST_F(SessionTableTest, WhatIsKnownBetterOfTheSameProcessIsTaken) {
  SessionTable table({});
  Apply(table, Event(Kind::kConnect, 1, "curl"));
  SessionEvent close = Event(Kind::kClose, 1, "curl");
  close.process->detail = std::make_shared<ProcessDetail>(ProcessDetail{.executable = "/bin/curl"});
  Apply(table, close);
  EXPECT_EQ(sessions_.back().process->detail->executable, "/bin/curl");
}

TEST_F(SessionTableTest, AnotherOwnersFactsAreForgotten) {
  SessionTable table({});
  table.Apply(Event(Kind::kAccept, 1, "parent"),
              [](Session& session, SessionRecord::Kind) { session.user_name = "root"; });
  SessionEvent close = Event(Kind::kClose, 1, "parent");
  Apply(table, close);
  EXPECT_EQ(sessions_.back().user_name, "root");
  const auto name_root = [](Session& session, SessionRecord::Kind) { session.user_name = "root"; };
  table.Apply(Event(Kind::kEstablished, 2, "parent"), name_root);
  table.Expire(kBegin + seconds(1), name_root);
  Apply(table, Event(Kind::kClose, 2, "worker"));
  EXPECT_EQ(sessions_.back().user_name, "");
  EXPECT_EQ(sessions_.back().process->name.view(), "worker");
}

TEST_F(SessionTableTest, WhoAcceptedStaysTheOwnerWhateverTheEndSays) {
  SessionTable table({});
  Apply(table, Event(Kind::kAccept, 1, "worker"));
  Apply(table, Event(Kind::kClose, 1, "listener"));
  EXPECT_THAT(Drain(), ElementsAre("start 1 worker", "end 1 worker"));
}

TEST_F(SessionTableTest, OnlyAMoreCertainOwnerCorrectsOne) {
  SessionTable table({});
  const auto tell = [&](Kind kind, const char* owner, Attribution attribution) {
    SessionEvent event = Event(kind, 1, owner);
    event.attribution = attribution;
    Apply(table, event);
  };
  tell(Kind::kEstablished, "listener", Attribution::kListener);
  tell(Kind::kOwner, "holder", Attribution::kHolder);
  EXPECT_THAT(Drain(), ElementsAre("start 1 holder"));
  tell(Kind::kOwner, "listener", Attribution::kListener);
  tell(Kind::kOwner, "worker", Attribution::kCaller);
  tell(Kind::kOwner, "holder", Attribution::kHolder);
  tell(Kind::kClose, "listener", Attribution::kListener);
  EXPECT_THAT(Drain(), ElementsAre("end 1 worker"));
  EXPECT_EQ(sessions_.back().attribution, Attribution::kCaller);
}

TEST_F(SessionTableTest, TellsHowTheOwnerIsKnown) {
  SessionTable table({});
  const auto attribution_after = [&](const SessionEvent& event) {
    Apply(table, event);
    table.Flush(Emit());
    return sessions_.back().attribution;
  };
  EXPECT_EQ(attribution_after(Event(Kind::kConnect, 1, "curl")), Attribution::kCaller);
  EXPECT_EQ(attribution_after(Event(Kind::kEstablished, 2, "listener")), Attribution::kListener);
  EXPECT_EQ(attribution_after(Event(Kind::kAccept, 3, "worker")), Attribution::kCaller);
  SessionEvent close = Event(Kind::kClose, 4, "worker");
  EXPECT_EQ(attribution_after(close), Attribution::kCaller);
  close.id = 5;
  close.attribution = Attribution::kListener;
  EXPECT_EQ(attribution_after(close), Attribution::kListener);
  EXPECT_EQ(attribution_after(Event(Kind::kClose, 6, nullptr)), Attribution::kUnknown);
  // A close that knows more than the start did.
  EXPECT_EQ(attribution_after(Event(Kind::kClose, 2, "worker")), Attribution::kCaller);
  EXPECT_EQ(sessions_.back().process->name.view(), "worker");
}

TEST_F(SessionTableTest, AStartWaitsForAnOwnerThatIsLookedFor) {
  SessionTable table({.owner_hold = milliseconds(250)});
  SessionEvent connect = Event(Kind::kConnect, 1, nullptr);
  connect.owner_may_follow = true;
  Apply(table, connect);
  EXPECT_THAT(Drain(), IsEmpty());
  SessionEvent owner = Event(Kind::kOwner, 1, "curl", kBegin + milliseconds(1));
  Apply(table, owner);
  EXPECT_THAT(Drain(), ElementsAre("start 1 curl"));
  EXPECT_EQ(sessions_.back().direction, Direction::kActive) << "that of its first event";

  connect.id = 2;
  Apply(table, connect);
  table.Expire(kBegin + milliseconds(250), Emit());
  EXPECT_THAT(Drain(), ElementsAre("start 2 ?")) << "not for ever";
  owner.id = 2;
  Apply(table, owner);
  EXPECT_THAT(Drain(), IsEmpty());
  Apply(table, Event(Kind::kClose, 2, nullptr));
  EXPECT_THAT(Drain(), ElementsAre("end 2 curl"));

  connect.id = 3;
  connect.owner_may_follow = false;
  Apply(table, connect);
  EXPECT_THAT(Drain(), ElementsAre("start 3 ?")) << "nobody looks for it";
}

TEST_F(SessionTableTest, AnotherOwnerHasNoneOfTheFactsOfTheFirst) {
  SessionTable table({});
  const auto enrich = [](Session& session, SessionRecord::Kind) {
    session.user_name = session.executable = session.command_line = "x";
    session.container = std::make_shared<ContainerFacts>();
    session.pod = session.remote_pod = std::make_shared<PodFacts>();
  };
  table.Apply(Event(Kind::kEstablished, 1, "parent"), enrich);
  table.Expire(kBegin + seconds(1), enrich);
  Apply(table, Event(Kind::kClose, 1, "worker"));
  const Session& session = sessions_.back();
  EXPECT_EQ(session.user_name + session.executable + session.command_line, "");
  EXPECT_EQ(session.container, nullptr);
  EXPECT_EQ(session.pod, nullptr);
  EXPECT_NE(session.remote_pod, nullptr);  // the peer is the same
}

}  // namespace
}  // namespace sockflow
