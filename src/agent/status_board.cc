// SPDX-License-Identifier: MIT
#include "agent/status_board.h"

#include <utility>

namespace sockflow {
namespace {

// Figures that are younger serve again: who asks in a loop must not wake the pipeline each time.
constexpr auto kFresh = std::chrono::milliseconds(50);

}  // namespace

void StatusBoard::Attach(std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
  phase_ = Phase::kRunning;
}

void StatusBoard::Detach() {
  const std::lock_guard lock(mutex_);
  wake_ = nullptr;
  phase_ = Phase::kStopping;
  published_.notify_all();
}

void StatusBoard::Publish(AgentStats stats) {
  auto copy = std::make_shared<const AgentStats>(std::move(stats));
  const std::lock_guard lock(mutex_);
  wanted_.store(false, std::memory_order_relaxed);
  newest_ = std::move(copy);
  newest_at_ = Clock::now();
  ++number_;
  published_.notify_all();
}

StatusBoard::Clock::duration StatusBoard::SinceBeat() const {
  return Clock::now() - Moment(Clock::duration(beat_.load(std::memory_order_relaxed)));
}

std::shared_ptr<const AgentStats> StatusBoard::Ask(Clock::duration patience) {
  std::unique_lock lock(mutex_);
  if (wake_ == nullptr || (newest_ != nullptr && Clock::now() - newest_at_ < kFresh)) return newest_;
  const uint64_t before = number_;
  wanted_.store(true, std::memory_order_relaxed);
  // With the lock, so that who is woken is still there.
  wake_();
  published_.wait_for(lock, patience, [&] { return number_ != before || wake_ == nullptr; });
  return newest_;
}

}  // namespace sockflow
