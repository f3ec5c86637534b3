// SPDX-License-Identifier: MIT
// Sessions at random, interleaved, with packets lost, doubled and out of order.
#include <algorithm>
#include <random>

#include "gtest/gtest.h"
#include "tests/unit/source/segment_script.h"
#include "tests/unit/source/tracker_invariants.h"

namespace sockflow::pcap::testing {
namespace {

constexpr std::array<std::string_view, 14> kLives = {
    "0 C S; 1 S SA; 2 C A; 3 C D/9; 4 S D/7; 5 C F; 6 S F; 7 C A",
    "0 C S; 1 S SA; 2 C A; 3 S D/9; 4 S F; 5 C A; 6 C F/8; 7 S A",
    "0 C S; 1 S SA; 2 C A; 5 C F+1000000; 5 S F+3000000000 ack=1; 6 C A; 7 S A",
    "0 C S; 1 S RA seq=0",
    "0 C S; 1000 C ~S; 3000 C ~S",
    "0 C S; 1 S SA; 2 C R",
    "0 C S; 1 S SA; 1000 S ~SA",
    "0 C S; 1 S SA; 2 C A; 3 C D/100; 4 S RA",
    "0 C S; 1 S SA; 2 C A; 3 C F; 4 S RA; 5 S R",
    "0 C S; 1 S S; 2 C SA; 2 S SA; 5 C F; 6 S F",
    "0 C S/5; 1 S SA; 2 C F; 3 S F",
    "0 C S; 1 S SA; 5 C S isn=77777; 6 S SA isn=88888; 7 C F; 8 S F; 9 C A",
    "0 C D/5; 1 S F; 2 C F; 3 C R",
    "0 C S; 1 S SA; 2 C A; 60000 C D/5",
};

class TrackerRandomTest : public ::testing::Test {
 protected:
  std::mt19937 random_;
  int Below(int bound) { return std::uniform_int_distribution<>(0, bound - 1)(random_); }
  bool OneIn(int count) { return Below(count) == 0; }

  std::vector<TcpSegment> Segments() {
    std::vector<TcpSegment> segments;
    const int ports = 1 + Below(60);
    for (int i = 0; i < 400; ++i) {
      Script script;
      // Few endpoints: ports are used again, while a session of theirs is open.
      script.client.port = static_cast<uint16_t>(1000 + Below(ports));
      if (OneIn(50)) script.server = script.client;
      const Duration begin = std::chrono::milliseconds(Below(200'000));
      const auto salt = static_cast<uint32_t>(OneIn(2) ? random_() : 0);
      for (TcpSegment& segment : script.Read(kLives[static_cast<size_t>(Below(kLives.size()))])) {
        segment.at += begin;
        segment.sequence += salt;
        segment.acknowledgment += salt;
        if (OneIn(20)) continue;
        if (OneIn(30)) segment.at += std::chrono::milliseconds(Below(3000));
        if (OneIn(200)) segment.sequence = static_cast<uint32_t>(random_());
        if (OneIn(200)) segment.flags = static_cast<uint8_t>(Below(64));
        segments.push_back(segment);
        if (!OneIn(10)) continue;
        segment.interface = static_cast<uint32_t>(Below(3));
        segments.push_back(segment);
      }
    }
    std::ranges::stable_sort(segments, {}, &TcpSegment::at);
    for (size_t i = 1; i < segments.size(); ++i) {
      if (OneIn(50)) std::swap(segments[i - 1], segments[i]);
    }
    return segments;
  }
  // One tracker with settings at random.
  void Run();
};

void TrackerRandomTest::Run() {
  HandshakeTracker::Options options;
  const int observed = Below(4);
  options.ends = [observed](const Endpoint& initiator, const Endpoint& responder) {
    const auto ours = [observed](const Endpoint& e) {
      return (observed & (e.port == 80 ? 2 : 1)) != 0;
    };
    return HandshakeTracker::Ends{ours(initiator), ours(responder)};
  };
  options.every_segment = OneIn(2);
  if (OneIn(2)) options.max_sessions = static_cast<size_t>(1 + Below(20));
  if (OneIn(2)) options.still_open = [this](const Endpoint&, const Endpoint&) { return OneIn(2); };
  const size_t most = options.max_sessions;
  const bool dense = options.every_segment;
  HandshakeTracker tracker(std::move(options));
  TrackerInvariants invariants;
  const auto emit = [&](const SessionEvent& event) { invariants.OnEvent(event); };
  const std::vector<TcpSegment> segments = Segments();
  for (const TcpSegment& segment : segments) {
    if (dense || (segment.flags & (kSyn | kFin | kRst)) != 0 || OneIn(10)) {
      tracker.Apply(segment, emit);
    } else {
      tracker.Apply({.at = segment.at}, emit);
    }
    if (OneIn(5)) tracker.Expire(segment.at, emit);
    if (OneIn(5)) tracker.Established(static_cast<SessionId>(Below(1000)), segment.at, emit);
    ASSERT_LE(tracker.size(), most);
  }
  tracker.Finish(segments.back().at, emit);
  invariants.OnFinished(tracker, segments.size());
  EXPECT_EQ(invariants.fault(), "");
  // Many of them begin, if they are ours.
  EXPECT_EQ(tracker.stats().sessions > 50, observed != 0);
}

TEST_F(TrackerRandomTest, EachStartsOnceAndEndsOnce) {
  for (uint32_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    random_.seed(seed);
    Run();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace sockflow::pcap::testing
