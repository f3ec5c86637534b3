// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "agent/agent_stats.h"

namespace sockflow {

// Where the pipeline tells other threads how it is. Its counters are its own, without locks or atomics:
// who wants to know them asks here, and the pipeline, woken for that, leaves a copy when it comes round.
// Unless somebody asks, each of its rounds costs one store and one load, and it is never woken.
class StatusBoard {
 public:
  using Clock = std::chrono::steady_clock;
  using Moment = Clock::time_point;

  enum class Phase : uint8_t { kStarting, kRunning, kStopping };

  // --- the pipeline's thread ---

  // Events are captured from now on. `wake` ends the pipeline's wait, from any thread.
  void Attach(std::function<void()> wake);
  // No round will follow; what waits is sent. `wake` is not called any more.
  void Detach();
  // One round is done.
  void Beat(Moment now) { beat_.store(now.time_since_epoch().count(), std::memory_order_relaxed); }
  // Somebody waits for Publish.
  bool wanted() const { return wanted_.load(std::memory_order_relaxed); }
  void Publish(AgentStats stats);

  // --- any other ---

  Phase phase() const { return phase_.load(); }
  // How long ago the last round was; before the first one, how long ago the start was.
  Clock::duration SinceBeat() const;
  // The figures of this moment, or the newest that came within `patience`. Null: none ever did.
  std::shared_ptr<const AgentStats> Ask(Clock::duration patience);

 private:
  std::atomic<Phase> phase_ = Phase::kStarting;
  std::atomic<Clock::rep> beat_ = Clock::now().time_since_epoch().count();
  std::atomic<bool> wanted_ = false;

  std::mutex mutex_;
  std::condition_variable published_;
  std::function<void()> wake_;
  std::shared_ptr<const AgentStats> newest_;
  uint64_t number_ = 0;  // of newest_
  Moment newest_at_ = Moment::min();
};

}  // namespace sockflow
