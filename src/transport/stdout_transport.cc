// SPDX-License-Identifier: MIT
#include "transport/stdout_transport.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <span>

#include "transport/disk.h"
#include "transport/waiter.h"

namespace sockflow::transport {
namespace {

constexpr std::chrono::seconds kRetryDisk{1};

bool IsNoRoom(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

absl::Status ReaderHasGone() {
  return absl::UnavailableError(
      "standard output: the reader of the pipe has gone; start it and the agent again");
}

}  // namespace

absl::Status StdoutTransport::Open(Waiter&, Clock::time_point) {
  const int flags = fcntl(fd_, F_GETFL);
  struct stat status {};
  if (flags < 0 || fstat(fd_, &status) != 0) {
    return absl::FailedPreconditionError(
        "standard output is closed; redirect it to a program or a file (sockflow run ... | "
        "PROGRAM)");
  }
  if (isatty(fd_)) {
    return absl::FailedPreconditionError(
        "standard output is a terminal, and IPFIX messages are not text; redirect it to a program "
        "or a "
        "file (sockflow run ... | PROGRAM)");
  }
  is_file_ = S_ISREG(status.st_mode);
  is_pipe_ = S_ISFIFO(status.st_mode) && (flags & O_ACCMODE) == O_WRONLY;
  if (!HasReader()) return ReaderHasGone();
  rest_.clear();
  is_open_ = true;
  return absl::OkStatus();
}

bool StdoutTransport::HasReader() const {
  if (!is_pipe_) return true;
  pollfd state = {.fd = fd_, .events = 0, .revents = 0};
  return poll(&state, 1, 0) <= 0 || (state.revents & POLLERR) == 0;
}

int StdoutTransport::Write(Messages messages, size_t& accepted) {
  std::array<iovec, 16> parts;
  size_t count = 0;
  // A pipe that polls writable takes PIPE_BUF octets without blocking (pipe(7)); a file takes all.
  size_t room = is_file_ ? SSIZE_MAX : PIPE_BUF;
  const auto add = [&](std::span<const uint8_t> octets) {
    const size_t length = std::min(octets.size(), room);
    if (length == 0) return;
    parts[count++] = {const_cast<uint8_t*>(octets.data()), length};  // writev only reads it
    room -= length;
  };
  add(rest_);
  for (const std::span<const uint8_t> message : messages) {
    if (count == parts.size()) break;
    add(message);
  }
  if (count == 0) {
    accepted = messages.size();  // all empty
    return 0;
  }
  const ssize_t result = writev(fd_, parts.data(), static_cast<int>(count));
  if (result < 0) return errno;
  size_t written = static_cast<size_t>(result);
  if (written < rest_.size()) {
    rest_.erase(rest_.begin(), rest_.begin() + result);
    return 0;
  }
  written -= rest_.size();
  rest_.clear();
  while (written > 0) {
    const std::span<const uint8_t> message = messages[accepted++];
    const size_t part = std::min(written, message.size());
    rest_.assign(message.begin() + static_cast<ptrdiff_t>(part), message.end());
    written -= part;
  }
  return 0;
}

Transport::Result StdoutTransport::End(size_t accepted, int error) {
  is_open_ = false;
  return {accepted, Outcome::kSessionOver,
          error == EPIPE ? ReaderHasGone() : DiskError("write", "standard output", error)};
}

Transport::Result StdoutTransport::Send(Messages messages, Waiter& waiter,
                                        Clock::time_point deadline) {
  size_t accepted = 0;
  int no_room = 0;
  while (!rest_.empty() || accepted < messages.size()) {
    if (no_room != 0) {
      // A full disk polls writable, so that only time can tell.
      const Clock::time_point retry = Clock::now() + kRetryDisk;
      waiter.Wait(-1, 0, std::min(deadline, retry));
      if (Clock::now() < retry) {
        return {accepted, Outcome::kBusy, DiskError("write", "standard output", no_room)};
      }
    } else if (waiter.Wait(fd_, Waiter::kWritable, deadline) == 0) {
      return {accepted, Outcome::kBusy, absl::OkStatus()};
    }
    size_t begun = 0;
    const int error = Write(messages.subspan(accepted), begun);
    accepted += begun;
    no_room = IsNoRoom(error) ? error : 0;
    if (error != 0 && error != EINTR && error != EAGAIN && no_room == 0) {
      return End(accepted, error);
    }
  }
  return {accepted, Outcome::kAll, absl::OkStatus()};
}

Transport::Result StdoutTransport::Check() {
  if (!is_open_ || HasReader()) return {};
  return End(0, EPIPE);
}

absl::Status StdoutTransport::Close(Waiter& waiter, Clock::time_point deadline) {
  if (!is_open_) return absl::OkStatus();
  const Result result = Send({}, waiter, deadline);
  is_open_ = false;
  if (result.outcome == Outcome::kBusy && result.status.ok()) {
    return absl::DeadlineExceededError(
        "standard output: the last message is cut, because the reader does not read; stop it after "
        "the "
        "agent");
  }
  return result.status;
}

}  // namespace sockflow::transport
