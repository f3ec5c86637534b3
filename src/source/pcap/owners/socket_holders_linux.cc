// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <functional>
#include <memory>
#include <string_view>

#include "fmt/format.h"
#include "source/pcap/owners/file_descriptor_linux.h"
#include "source/pcap/owners/socket_holders.h"

namespace sockflow::pcap {
namespace {

using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;

std::optional<uint32_t> ReadNumber(std::string_view text) {
  uint32_t number;
  const auto error = std::from_chars(text.data(), text.data() + text.size(), number).ec;
  if (error != std::errc()) return std::nullopt;
  return number;
}

bool IsForbidden(int error) { return error == EACCES || error == EPERM; }

// The inode number of "socket:[12345]"; 0 for other descriptors; nullopt: it may not be read.
std::optional<uint32_t> SocketInode(int folder, const char* fd) {
  char target[64];
  const ssize_t length = readlinkat(folder, fd, target, sizeof(target));
  if (length < 0 && IsForbidden(errno)) return std::nullopt;
  constexpr std::string_view kSocket = "socket:[";
  if (length <= 0 || !std::string_view(target, length).starts_with(kSocket)) return 0;
  return ReadNumber(std::string_view(target, length).substr(kSocket.size())).value_or(0);
}

}  // namespace

bool SocketHolders::ForEachSocket(uint32_t pid,
                                  absl::FunctionRef<bool(int fd, uint32_t inode)> on_socket) const {
  const Folder folder(opendir(fmt::format("{}/{}/fd", proc_, pid).c_str()), closedir);
  if (folder == nullptr) return !IsForbidden(errno);
  std::vector<int> fds;
  while (const dirent* entry = readdir(folder.get())) {
    if (const std::optional<uint32_t> fd = ReadNumber(entry->d_name)) fds.push_back(static_cast<int>(*fd));
  }
  // The numbers ascend, and a new descriptor gets the lowest free one: mostly the last.
  for (auto fd = fds.rbegin(); fd != fds.rend(); ++fd) {
    char name[16];
    *std::to_chars(name, name + sizeof(name) - 1, *fd).ptr = '\0';
    const std::optional<uint32_t> inode = SocketInode(dirfd(folder.get()), name);
    if (!inode) return false;
    if (*inode != 0 && !on_socket(*fd, *inode)) break;
  }
  return true;
}

std::optional<bool> SocketHolders::Holds(uint32_t pid, uint32_t inode, int* at) const {
  bool found = false;
  const bool readable = ForEachSocket(pid, [&](int fd, uint32_t held) {
    found = held == inode;
    if (found && at != nullptr) *at = fd;
    return !found;
  });
  if (!readable) return std::nullopt;
  return found;
}

bool SocketHolders::HasDescriptors(uint32_t pid) const {
  const Folder folder(opendir(fmt::format("{}/{}/fd", proc_, pid).c_str()), closedir);
  if (folder == nullptr) return IsForbidden(errno);
  while (const dirent* entry = readdir(folder.get())) {
    if (ReadNumber(entry->d_name)) return true;
  }
  return false;
}

bool SocketHolders::HoldsAt(uint32_t pid, int fd, uint32_t inode) const {
  return SocketInode(AT_FDCWD, fmt::format("{}/{}/fd/{}", proc_, pid, fd).c_str()) == inode;
}

std::optional<SocketHolders::Family> SocketHolders::FamilyOf(uint32_t pid_or_thread_id) const {
  const FileDescriptor file(
      open(fmt::format("{}/{}/status", proc_, pid_or_thread_id).c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[1024];  // both stand near the beginning
  const ssize_t length = file ? read(file.get(), buffer, sizeof(buffer)) : -1;
  if (length <= 0) return std::nullopt;
  const auto number_after = [text = std::string_view(buffer, length)](std::string_view key) {
    const size_t at = text.find(key);
    return at == std::string_view::npos ? std::nullopt : ReadNumber(text.substr(at + key.size()));
  };
  const std::optional<uint32_t> pid = number_after("\nTgid:\t");
  const std::optional<uint32_t> parent = number_after("\nPPid:\t");
  if (!pid || !parent) return std::nullopt;
  return Family{.pid = *pid, .parent = *parent};
}

std::optional<std::vector<uint32_t>> SocketHolders::ChildrenOf(uint32_t pid) const {
  const FileDescriptor file(
      open(fmt::format("{}/{}/task/{}/children", proc_, pid, pid).c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[512];
  const ssize_t length = file ? read(file.get(), buffer, sizeof(buffer)) : -1;
  if (length < 0 || length == sizeof(buffer)) return std::nullopt;  // more than anybody asks for
  std::vector<uint32_t> children;
  std::string_view text(buffer, length);  // "123 456 "
  for (size_t space; (space = text.find(' ')) != std::string_view::npos; text.remove_prefix(space + 1)) {
    if (const std::optional<uint32_t> child = ReadNumber(text)) children.push_back(*child);
  }
  return children;
}

std::optional<uint32_t> SocketHolders::UserOf(uint32_t pid) const {
  struct stat status;
  if (stat(fmt::format("{}/{}", proc_, pid).c_str(), &status) != 0) return std::nullopt;
  return status.st_uid;
}

bool SocketHolders::MayReadOthers() {
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, data) != 0) return false;
  const auto has = [&](int capability) { return (data[0].effective & (1U << capability)) != 0; };
  // The folder's mode is asked for the one, what a link points to for the other (proc_pid_fd(5)).
  return has(CAP_SYS_PTRACE) && (has(CAP_DAC_READ_SEARCH) || has(CAP_DAC_OVERRIDE));
}

std::vector<uint32_t> SocketHolders::Processes() const {
  std::vector<uint32_t> pids;
  const Folder folder(opendir(proc_.c_str()), closedir);
  if (folder == nullptr) return pids;
  while (const dirent* entry = readdir(folder.get())) {
    if (const std::optional<uint32_t> pid = ReadNumber(entry->d_name)) pids.push_back(*pid);
  }
  std::sort(pids.begin(), pids.end(), std::greater<>());
  return pids;
}

}  // namespace sockflow::pcap
