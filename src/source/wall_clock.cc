// SPDX-License-Identifier: MIT
#include "source/wall_clock.h"

#include <time.h>

#include <cstdlib>
#include <limits>

namespace sockflow {
namespace {

constexpr int64_t kStepNs = 1'000'000;

int64_t ReadNs(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

// Being interrupted between the two readings spoils the result: the quickest of a few counts.
int64_t MeasureOffset(int attempts) {
  int64_t best_offset = 0;
  int64_t best_error = std::numeric_limits<int64_t>::max();
  for (int i = 0; i < attempts; ++i) {
    const int64_t before = ReadNs(CLOCK_MONOTONIC);
    const int64_t wall = ReadNs(CLOCK_REALTIME);
    const int64_t after = ReadNs(CLOCK_MONOTONIC);
    if (after - before < best_error) {
      best_error = after - before;
      best_offset = wall - before - (after - before) / 2;
    }
  }
  return best_offset;
}

}  // namespace

WallClock::WallClock() : offset_ns_(MeasureOffset(5)) {}

void WallClock::Follow() {
  if (std::abs(MeasureOffset(1) - offset_ns_) <= kStepNs) return;
  const int64_t careful = MeasureOffset(5);
  if (std::abs(careful - offset_ns_) > kStepNs) offset_ns_ = careful;
}

}  // namespace sockflow
