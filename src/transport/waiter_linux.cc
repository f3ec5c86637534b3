// SPDX-License-Identifier: MIT
#include "transport/waiter.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "fmt/format.h"

namespace sockflow::transport {

absl::StatusOr<std::unique_ptr<Waiter>> Waiter::Make() {
  Socket wake(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake) {
    return absl::ResourceExhaustedError(fmt::format(
        "eventfd failed: {}; raise the limit of open files", std::strerror(errno)));
  }
  return std::unique_ptr<Waiter>(new Waiter(std::move(wake)));
}

int Waiter::Wait(int fd, int events, Clock::time_point deadline) {
  pollfd waits[2] = {{.fd = wake_.fd(), .events = POLLIN, .revents = 0},
                     {.fd = fd, .events = 0, .revents = 0}};  // poll ignores a negative one
  if (events & kReadable) waits[1].events |= POLLIN;
  if (events & kWritable) waits[1].events |= POLLOUT;
  while (true) {
    timespec timeout{};
    if (deadline != Clock::time_point::max()) {
      // Not the difference first: a deadline may lie before all time.
      const auto now = Clock::now();
      const auto left = deadline <= now ? Clock::duration::zero() : deadline - now;
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
      timeout.tv_sec = seconds.count();
      timeout.tv_nsec = std::chrono::nanoseconds(left - seconds).count();
    }
    const int ready =
        ppoll(waits, 2, deadline == Clock::time_point::max() ? nullptr : &timeout, nullptr);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return 0;
    break;
  }
  if (waits[0].revents != 0) {
    uint64_t count = 0;
    // Nothing to read only if another Wait was quicker, which does not happen: there is one thread.
    (void)!read(wake_.fd(), &count, sizeof(count));
    return 0;
  }
  if (waits[1].revents & (POLLERR | POLLHUP | POLLNVAL)) return events;
  int happened = 0;
  if (waits[1].revents & POLLIN) happened |= kReadable;
  if (waits[1].revents & POLLOUT) happened |= kWritable;
  return happened;
}

void Waiter::Wake() {
  const uint64_t one = 1;
  // Fails only when 2^64 - 2 wakes wait, and then there is no need of one more.
  (void)!write(wake_.fd(), &one, sizeof(one));
}

}  // namespace sockflow::transport
