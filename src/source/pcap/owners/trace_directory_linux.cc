// SPDX-License-Identifier: MIT
#include "source/pcap/owners/trace_directory.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>

#include <cerrno>

#include "fmt/format.h"
#include "source/pcap/owners/file_descriptor_linux.h"

namespace sockflow::pcap {
namespace {

absl::StatusOr<std::string> ReadAll(int fd, const std::string& path) {
  std::string text;
  char buffer[4096];
  ssize_t length;
  while ((length = read(fd, buffer, sizeof(buffer))) > 0) text.append(buffer, length);
  if (length < 0) return absl::ErrnoToStatus(errno, fmt::format("cannot read {}", path));
  return text;
}

// By number: the wrappers came with glibc 2.36. A detached mount: no mount table has it, it is gone with
// its descriptor.
FileDescriptor MountTracefs() {
  const FileDescriptor context(static_cast<int>(syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC)));
  if (!context) return {};
  if (syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return {};
  return FileDescriptor(static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
}

absl::Status Forbidden(const std::string& below) {
  return absl::PermissionDeniedError(
      fmt::format("may not read /sys/kernel/tracing/{}: give CAP_DAC_READ_SEARCH", below));
}

}  // namespace

absl::StatusOr<std::string> ReadTracepointFormat(const std::string& group, const std::string& name) {
  const std::string below = fmt::format("events/{}/{}/format", group, name);
  bool forbidden = false;
  for (const char* root : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    const std::string path = fmt::format("{}/{}", root, below);
    const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file) return ReadAll(file.get(), path);
    forbidden |= errno == EACCES || errno == EPERM;
  }
  const FileDescriptor mount = MountTracefs();
  if (mount) {
    const FileDescriptor file(openat(mount.get(), below.c_str(), O_RDONLY | O_CLOEXEC));
    if (file) return ReadAll(file.get(), below);
    if (errno == EACCES || errno == EPERM) return Forbidden(below);
    return absl::NotFoundError(fmt::format(
        "this kernel has no tracepoint {}:{} (it came with Linux 4.16, and needs CONFIG_FTRACE)", group,
        name));
  }
  if (forbidden) return Forbidden(below);
  return absl::NotFoundError(fmt::format(
      "there is no /sys/kernel/tracing/{}: mount -t tracefs tracefs /sys/kernel/tracing, or give "
      "CAP_SYS_ADMIN",
      below));
}

}  // namespace sockflow::pcap
