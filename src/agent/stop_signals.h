// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <thread>

namespace sockflow {

// Calls `stop` in a thread of its own at the first SIGINT or SIGTERM. Make it before any other thread:
// those inherit that the signals are blocked.
class StopSignals {
 public:
  explicit StopSignals(std::function<void()> stop);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  std::thread thread_;
};

// Blocks them for the calling thread and all that it makes.
void BlockStopSignals();

}  // namespace sockflow
