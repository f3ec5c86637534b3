// SPDX-License-Identifier: MIT
#include "agent/held_records.h"

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sockflow {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = SessionRecord::Kind;
using Moment = HeldRecords::Moment;

class HeldRecordsTest : public ::testing::Test {
 protected:
  // A record as the pipeline makes it.
  void Put(SessionId id, Kind kind, Moment now) {
    Session session;
    session.id = id;
    held_.Put(session, kind, Enrich(session), now, Release());
  }
  Enriched Enrich(Session& session) {
    if (!known_.contains(session.id)) return Enriched::kLater;
    session.user_name = "ada";
    return Enriched::kDone;
  }
  auto Enricher() {
    return [this](Session& session) { return Enrich(session); };
  }
  std::function<void(Session&, Kind, bool)> Release() {
    return [this](Session& session, Kind kind, bool gave_up) {
      released_.push_back(fmt::format("{} {}{}{}", session.id,
                                      kind == Kind::kStart ? "start" : kind == Kind::kEnd ? "end" : "update",
                                      session.user_name.empty() ? "" : " ada", gave_up ? " gave up" : ""));
    };
  }
  std::vector<std::string> Released() { return std::exchange(released_, {}); }

  HeldRecords held_{HeldRecords::Options{.wait = seconds(1), .max_records = 4}};
  std::set<SessionId> known_;
  std::vector<std::string> released_;
  Moment now_{};
};

TEST_F(HeldRecordsTest, WhatNeedsNoWaitDoesNotWait) {
  known_ = {1};
  Put(1, Kind::kStart, now_);
  Put(1, Kind::kEnd, now_);
  EXPECT_THAT(Released(), ElementsAre("1 start ada", "1 end ada"));
  EXPECT_TRUE(held_.empty());
  EXPECT_EQ(held_.NextDeadline(), Moment::max());
}

TEST_F(HeldRecordsTest, RecordsOfASessionStayInOrderAndOthersPass) {
  Put(1, Kind::kStart, now_);
  known_ = {1, 2};
  // Known by now, and behind its start all the same.
  Put(1, Kind::kUpdate, now_);
  Put(2, Kind::kStart, now_);
  Put(1, Kind::kEnd, now_);
  EXPECT_THAT(Released(), ElementsAre("2 start ada"));
  held_.Retry(Enricher(), Release());
  EXPECT_THAT(Released(), ElementsAre("1 start ada", "1 update ada", "1 end ada"));
  EXPECT_TRUE(held_.empty());
}

TEST_F(HeldRecordsTest, NewsOfOneReleaseThatOne) {
  Put(1, Kind::kStart, now_);
  Put(2, Kind::kStart, now_);
  Put(3, Kind::kStart, now_);
  known_ = {2};
  held_.Retry(Enricher(), Release());
  EXPECT_THAT(Released(), ElementsAre("2 start ada"));
  EXPECT_EQ(held_.NextDeadline(), now_ + seconds(1));
}

TEST_F(HeldRecordsTest, NobodyWaitsLongerThanTheTime) {
  Put(1, Kind::kStart, now_);
  Put(2, Kind::kStart, now_ + milliseconds(600));
  Put(1, Kind::kEnd, now_ + milliseconds(700));
  held_.Expire(now_ + milliseconds(999), Enricher(), Release());
  EXPECT_THAT(Released(), IsEmpty());
  held_.Expire(now_ + seconds(1), Enricher(), Release());
  EXPECT_THAT(Released(), ElementsAre("1 start gave up", "1 end"));
  EXPECT_EQ(held_.NextDeadline(), now_ + milliseconds(1600));
  // Asked once more before it goes.
  known_ = {2};
  held_.Expire(now_ + seconds(2), Enricher(), Release());
  EXPECT_THAT(Released(), ElementsAre("2 start ada"));
}

TEST_F(HeldRecordsTest, OnlyAStartBeginsToWait) {
  Put(1, Kind::kUpdate, now_);
  Put(1, Kind::kEnd, now_);
  EXPECT_THAT(Released(), ElementsAre("1 update", "1 end"));
}

TEST_F(HeldRecordsTest, AllGoAtTheEnd) {
  Put(1, Kind::kStart, now_);
  Put(2, Kind::kStart, now_);
  held_.Expire(Moment::max(), Enricher(), Release());
  EXPECT_THAT(Released(), ElementsAre("1 start gave up", "2 start gave up"));
}

TEST_F(HeldRecordsTest, IsBoundedAndKeepsTheOrder) {
  for (SessionId id = 1; id <= 4; ++id) Put(id, Kind::kStart, now_);
  EXPECT_THAT(Released(), IsEmpty());
  Put(5, Kind::kStart, now_);
  EXPECT_THAT(Released(), ElementsAre("5 start gave up"));
  Put(2, Kind::kEnd, now_);
  EXPECT_THAT(Released(), ElementsAre("2 start gave up", "2 end"));
  Put(6, Kind::kStart, now_);
  EXPECT_THAT(Released(), IsEmpty()) << "room again";
}

TEST_F(HeldRecordsTest, NoTimeMeansNoWait) {
  held_ = HeldRecords({.wait = Duration::zero()});
  Put(1, Kind::kStart, now_);
  EXPECT_THAT(Released(), ElementsAre("1 start gave up"));
  EXPECT_TRUE(held_.empty());
}

TEST_F(HeldRecordsTest, TheCopyIsOfItsMoment) {
  Session session;
  session.id = 1;
  session.tcp.octets_sent = 7;
  held_.Put(session, Kind::kStart, Enriched::kLater, now_, Release());
  session.tcp.octets_sent = 100;
  known_ = {1};
  uint64_t told = 0;
  held_.Retry(Enricher(), [&](Session& s, Kind, bool) { told = s.tcp.octets_sent; });
  EXPECT_EQ(told, 7u);
}

}  // namespace
}  // namespace sockflow
