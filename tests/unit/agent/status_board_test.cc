// SPDX-License-Identifier: MIT
#include "agent/status_board.h"

#include <atomic>
#include <thread>

#include "gtest/gtest.h"

namespace sockflow {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A pipeline that comes round when it is woken.
class Rounds {
 public:
  explicit Rounds(StatusBoard& board) : board_(board) {
    board_.Attach([this] {
      ++wakes_;
      wakes_.notify_all();
    });
    thread_ = std::thread([this] {
      for (int seen = 0; !ended_; seen = wakes_) {
        wakes_.wait(seen);
        board_.Beat(StatusBoard::Clock::now());
        if (board_.wanted()) {
          AgentStats stats;
          stats.open_sessions = ++rounds_;
          board_.Publish(std::move(stats));
        }
      }
    });
  }
  ~Rounds() {
    board_.Detach();
    ended_ = true;
    ++wakes_;
    wakes_.notify_all();
    thread_.join();
  }
  int wakes() const { return wakes_; }

 private:
  StatusBoard& board_;
  std::atomic<int> wakes_ = 0;
  std::atomic<bool> ended_ = false;
  uint64_t rounds_ = 0;
  std::thread thread_;
};

TEST(StatusBoardTest, WhoAsksWakesThePipelineAndGetsTheFiguresOfNow) {
  StatusBoard board;
  const Rounds rounds(board);
  EXPECT_EQ(rounds.wakes(), 0);
  const auto first = board.Ask(seconds(20));
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->open_sessions, 1u);
  EXPECT_EQ(rounds.wakes(), 1);
  EXPECT_FALSE(board.wanted());
}

// However often somebody asks, the pipeline is woken some times a second.
TEST(StatusBoardTest, FreshFiguresServeAgain) {
  StatusBoard board;
  const Rounds rounds(board);
  const auto begin = StatusBoard::Clock::now();
  for (int i = 0; i < 2000; ++i) ASSERT_NE(board.Ask(seconds(20)), nullptr);
  const auto took = StatusBoard::Clock::now() - begin;
  EXPECT_LE(rounds.wakes(), 2 + took / milliseconds(50));
}

TEST(StatusBoardTest, NobodyWaitsLongForOneThatHangs) {
  StatusBoard board;
  EXPECT_EQ(board.Ask(hours(1)), nullptr);  // nothing runs yet
  int woken = 0;
  board.Attach([&woken] { ++woken; });
  EXPECT_EQ(board.Ask(milliseconds(10)), nullptr);
  EXPECT_EQ(woken, 1);
  EXPECT_TRUE(board.wanted());
  board.Publish({.open_sessions = 5});
  const auto newest = board.Ask(milliseconds(0));
  ASSERT_NE(newest, nullptr);
  EXPECT_EQ(newest->open_sessions, 5u);
  board.Detach();
  EXPECT_EQ(board.Ask(hours(1)), newest);
  EXPECT_EQ(woken, 1);
}

TEST(StatusBoardTest, TellsPhasesAndBeats) {
  StatusBoard board;
  EXPECT_EQ(board.phase(), StatusBoard::Phase::kStarting);
  EXPECT_LT(board.SinceBeat(), hours(1));
  board.Attach([] {});
  EXPECT_EQ(board.phase(), StatusBoard::Phase::kRunning);
  board.Beat(StatusBoard::Clock::now() - hours(3));
  EXPECT_GE(board.SinceBeat(), hours(3));
  board.Detach();
  EXPECT_EQ(board.phase(), StatusBoard::Phase::kStopping);
}

}  // namespace
}  // namespace sockflow
