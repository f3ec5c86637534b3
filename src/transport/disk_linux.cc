// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "fmt/format.h"
#include "transport/disk.h"
#include "transport/socket.h"

namespace sockflow::transport {
namespace {

std::string_view Remedy(int error) {
  switch (error) {
    case ENOSPC:
      return "make room on the disk";
    case EDQUOT:
      return "make room or raise the quota";
    case EFBIG:
      return "raise the limit of the file size (ulimit -f)";
    case EACCES:
    case EPERM:
      return "give the user of the agent the right to write there";
    case EROFS:
      return "choose a place that is not read-only";
    case ENOENT:
      return "make the directory first (mkdir -p)";
    case ENOTDIR:
    case EISDIR:
    case EEXIST:
    case ELOOP:
    case ENAMETOOLONG:
      return "choose another name";
    case EMFILE:
    case ENFILE:
      return "raise the limit of open files";
    default:
      return "check the disk";
  }
}

}  // namespace

absl::Status DiskError(std::string_view verb, std::string_view path, int error) {
  const std::string text =
      fmt::format("cannot {} {}: {}; {}", verb, path, std::strerror(error), Remedy(error));
  const bool no_room = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return no_room ? absl::ResourceExhaustedError(text) : absl::FailedPreconditionError(text);
}

int AppendWhole(int fd, std::span<const uint8_t> octets, uint64_t offset) {
  size_t written = 0;
  while (written < octets.size()) {
    const ssize_t count = pwrite(fd, octets.data() + written, octets.size() - written,
                                 static_cast<off_t>(offset + written));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const int error = count < 0 ? errno : ENOSPC;
      // If this fails too, the next whole append overwrites the rest, or a reader finds it.
      if (written > 0) (void)!ftruncate(fd, static_cast<off_t>(offset));
      return error;
    }
    written += static_cast<size_t>(count);
  }
  return 0;
}

int SyncDirectory(const std::string& directory) {
  const Socket opened(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || fsync(opened.fd()) != 0) return errno;
  return 0;
}

bool Claim(int fd) { return flock(fd, LOCK_EX | LOCK_NB) == 0; }

bool IsNamed(int fd, const std::string& path) {
  struct stat open_file {};
  struct stat named {};
  return fstat(fd, &open_file) == 0 && lstat(path.c_str(), &named) == 0 &&
         open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

int RenameNew(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  // Some file systems (NFS) know no such flag; a link never replaces anything either.
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (link(from.c_str(), to.c_str()) != 0) return errno;
  return unlink(from.c_str()) == 0 ? 0 : errno;
}

}  // namespace sockflow::transport
