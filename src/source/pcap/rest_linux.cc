// SPDX-License-Identifier: MIT
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <vector>

#include "fmt/format.h"
#include "source/pcap/rest.h"

namespace sockflow::pcap {
namespace {

class LinuxRest : public Rest {
 public:
  explicit LinuxRest(int wake) : wake_(wake) {}
  ~LinuxRest() override { close(wake_); }

  void Wait(std::span<const int> descriptors, Duration longest) override {
    watched_.clear();
    watched_.push_back({.fd = wake_, .events = POLLIN, .revents = 0});
    for (const int descriptor : descriptors) {
      watched_.push_back({.fd = descriptor, .events = POLLIN, .revents = 0});
    }
    const auto seconds = std::chrono::floor<std::chrono::seconds>(longest);
    const timespec limit = {.tv_sec = static_cast<time_t>(seconds.count()),
                            .tv_nsec = static_cast<long>((longest - seconds).count())};
    if (ppoll(watched_.data(), watched_.size(), &limit, nullptr) <= 0) return;
    uint64_t ignored;
    if (watched_.front().revents != 0) (void)!read(wake_, &ignored, sizeof ignored);
  }

  void Wake() override {
    const uint64_t one = 1;
    (void)!write(wake_, &one, sizeof one);
  }

 private:
  const int wake_;
  std::vector<pollfd> watched_;  // of one Wait; here so that it is not made anew
};

}  // namespace

absl::StatusOr<std::unique_ptr<Rest>> Rest::Make() {
  const int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake < 0) {
    return absl::ResourceExhaustedError(
        fmt::format("cannot make a descriptor to wait on: {}", strerror(errno)));
  }
  return std::make_unique<LinuxRest>(wake);
}

}  // namespace sockflow::pcap
