// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <signal.h>

#include <utility>

#include "agent/stop_signals.h"

namespace sockflow {
namespace {

// Sent to the thread alone, to end it.
constexpr int kEndThread = SIGUSR2;

sigset_t StopSet() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, kEndThread);
  return set;
}

}  // namespace

void BlockStopSignals() {
  const sigset_t set = StopSet();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

StopSignals::StopSignals(std::function<void()> stop) {
  BlockStopSignals();
  thread_ = std::thread([stop = std::move(stop)] {
    const sigset_t set = StopSet();
    int signal = 0;
    if (sigwait(&set, &signal) == 0 && signal != kEndThread) stop();
  });
}

StopSignals::~StopSignals() {
  pthread_kill(thread_.native_handle(), kEndThread);
  thread_.join();
}

}  // namespace sockflow
