// SPDX-License-Identifier: MIT
#include "delivery/pace.h"

#include "gtest/gtest.h"

namespace sockflow::delivery {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using Moment = Pace::Clock::time_point;

// A courier that wakes a little late each time, and `per_millisecond` messages that come in every ten
// milliseconds together, as the pipeline makes them.
struct Simulation {
  explicit Simulation(size_t burst) : pace(burst) {}

  void Run(milliseconds time, size_t per_millisecond) {
    const Moment end = now + time;
    while (now < end) {
      if (now >= next_batch) {
        pace.Arrived(10 * per_millisecond, now);
        waiting += 10 * per_millisecond;
        next_batch += milliseconds(10);
      } else {
        pace.Arrived(0, now);
      }
      if (waiting > 0 && now >= pace.next()) {
        const size_t leaving = std::min(waiting, pace.burst());
        longest = std::max(longest, leaving);
        waiting -= leaving;
        sent += leaving;
        pace.Sent(now);
      }
      most_waiting = std::max(most_waiting, waiting);
      now = (waiting > 0 ? std::max(now, pace.next()) : next_batch) + microseconds(300);
    }
  }

  Pace pace;
  Moment now = Moment(std::chrono::hours(1));
  Moment next_batch = now;
  size_t waiting = 0, most_waiting = 0, longest = 0, sent = 0;
};

TEST(PaceTest, BurstsHaveAGapBetween) {
  Simulation idle(16);
  idle.waiting = 1000;
  idle.Run(milliseconds(20), 0);
  EXPECT_EQ(idle.longest, 16u);
  // Nothing is made good for the time before the first.
  EXPECT_NEAR(static_cast<double>(idle.sent), 20 * 16, 16);
}

TEST(PaceTest, WakingLateCostsNothing) {
  Simulation steady(16);
  steady.Run(milliseconds(1000), 15);
  EXPECT_LT(steady.most_waiting, 400u);
}

TEST(PaceTest, KeepsUpWithWhatComesInSteadily) {
  Simulation busy(16);
  busy.Run(milliseconds(1000), 40);
  EXPECT_LT(busy.most_waiting, 3000u) << "until the rate is known, then it falls";
  EXPECT_LT(busy.waiting, 500u);
  EXPECT_LE(busy.longest, Pace::kLongestBurst);
  // And becomes slow again.
  busy.Run(milliseconds(200), 1);
  EXPECT_EQ(busy.pace.burst(), 16u);
}

TEST(PaceTest, ALongerBurstThatIsConfiguredStays) {
  Pace pace(500);
  EXPECT_EQ(pace.burst(), 500u);
}

}  // namespace
}  // namespace sockflow::delivery
