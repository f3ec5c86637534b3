// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <thread>

namespace sockflow {

// Calls `stop` in a thread of its own at the first SIGINT or SIGTERM, and `reload` at each SIGHUP before
// it; without `reload` SIGHUP stops, too, as a terminal that goes away wants it. Make it before any other
// thread: those inherit that the signals are blocked.
class Signals {
 public:
  Signals(std::function<void()> stop, std::function<void()> reload);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  std::thread thread_;
};

// Blocks them for the calling thread and all that it makes.
void BlockSignals();

}  // namespace sockflow
