// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <signal.h>

#include <utility>

#include "agent/signals.h"
#include "sockflow/stop_signals.h"

namespace sockflow {
namespace {

// Sent to the thread alone, to end it.
constexpr int kEndThread = SIGUSR2;

sigset_t SignalSet() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kStopSignals) sigaddset(&set, signal);
  for (const int signal : {SIGHUP, kEndThread}) sigaddset(&set, signal);
  return set;
}

}  // namespace

void BlockSignals() {
  const sigset_t set = SignalSet();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Signals::Signals(std::function<void()> stop, std::function<void()> reload) {
  BlockSignals();
  thread_ = std::thread([stop = std::move(stop), reload = std::move(reload)] {
    const sigset_t set = SignalSet();
    int signal = 0;
    while (sigwait(&set, &signal) == 0 && signal == SIGHUP && reload) reload();
    if (signal != kEndThread) stop();
  });
}

Signals::~Signals() {
  pthread_kill(thread_.native_handle(), kEndThread);
  thread_.join();
}

}  // namespace sockflow
