// SPDX-License-Identifier: MIT
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "collector/stop_signals.h"
#include "sockflow/stop_signals.h"

namespace sockflow::collector {

absl::StatusOr<StopSignals> StopSignals::Open() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : kStopSignals) sigaddset(&signals, signal);
  int error = pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  int fd = -1;
  if (error == 0) {
    fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) error = errno;
  }
  if (error != 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot wait for signals: ", std::strerror(error),
                     "; raise the limit of open files (ulimit -n)"));
  }
  return StopSignals(fd);
}

StopSignals::~StopSignals() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace sockflow::collector
