// SPDX-License-Identifier: MIT
#include "collector/output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sockflow::collector {
namespace {

bool IsRegularFile(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

std::string Remedy(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "; make room on the disk";
    case EFBIG:
      return "; raise the limit of the file size (ulimit -f) or begin a new file";
    case EACCES:
    case EPERM:
    case EROFS:
      return "; choose a file that this user may write";
    case ENOENT:
    case ENOTDIR:
      return "; make its directory first";
    case EISDIR:
      return "; name a file in it";
    default:
      return "";
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Output>> Output::Open(const std::string& path) {
  if (path == "-") {
    // Else the first socket that is opened would take its number, and the lines.
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0) {
      return absl::FailedPreconditionError(
          "cannot write standard output: it is closed; name a file with --output");
    }
    return std::make_unique<Output>(STDOUT_FILENO, "standard output", false);
  }
  // Who talks to whom is nobody else's business: not readable by others.
  const int fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot write ", path, ": ", std::strerror(errno), Remedy(errno)));
  }
  return std::make_unique<Output>(fd, path, true);
}

Output::Output(int fd, std::string name, bool owns_fd)
    : fd_(fd), name_(std::move(name)), owns_fd_(owns_fd), may_block_(!IsRegularFile(fd)) {}

Output::~Output() {
  if (owns_fd_) close(fd_);
}

Output::Result Output::Write() {
  while (written_ < lines_.size()) {
    size_t octets = lines_.size() - written_;
    if (may_block_) {
      // O_NONBLOCK would be shared with whoever has the same terminal or pipe. A pipe that polls
      // writable takes PIPE_BUF octets without waiting.
      pollfd ready = {.fd = fd_, .events = POLLOUT, .revents = 0};
      if (poll(&ready, 1, 0) <= 0) return KeepRest(Result::kBusy);
      octets = std::min<size_t>(octets, PIPE_BUF);
    }
    const ssize_t written = write(fd_, lines_.data() + written_, octets);
    if (written >= 0) {
      written_ += static_cast<size_t>(written);
    } else if (errno == EPIPE) {
      return Result::kClosed;
    } else if (errno == EAGAIN) {
      return KeepRest(Result::kBusy);
    } else if (errno != EINTR) {
      DropAll(errno);
      return Result::kRefused;
    }
  }
  return KeepRest(Result::kDone);
}

Output::Result Output::KeepRest(Result result) {
  if (written_ > 0) is_begun_ = lines_[written_ - 1] != '\n';
  lines_.erase(0, written_);
  written_ = 0;
  return result;
}

void Output::DropAll(int error) {
  trouble_ = absl::StrCat("cannot write ", name_, ": ", std::strerror(error), Remedy(error),
                          "; until then lines are dropped and counted");
  KeepRest(Result::kRefused);
  const size_t keep = is_begun_ ? lines_.find('\n') + 1 : 0;
  lines_dropped_ += static_cast<uint64_t>(
      std::count(lines_.begin() + static_cast<ptrdiff_t>(keep), lines_.end(), '\n'));
  lines_.resize(keep);
}

}  // namespace sockflow::collector
