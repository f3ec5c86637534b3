// SPDX-License-Identifier: MIT
#include "enrich/container/cgroup_files.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "enrich/container/cgroup_path.h"
#include "enrich/process/process_folder.h"
#include "fmt/format.h"

namespace sockflow {
namespace {

// A line for each hierarchy, of which there are about a dozen, each with a path.
constexpr size_t kLongestCgroups = 64 * 1024;
constexpr size_t kLongestMountinfo = 4 * 1024 * 1024;  // nodes of Kubernetes have thousands of mounts

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const size_t space = line.find(' ');
    words.push_back(line.substr(0, space));
    line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  }
  return words;
}

// Mount points of cgroup v2 (proc(5): the fifth field; the type follows a field "-"). Those with a space in
// them, which would be escaped, are no loss.
std::vector<std::string> UnifiedMounts(const std::string& mountinfo) {
  std::vector<std::string> mounts;
  const std::optional<std::string> text = ReadProcFile(mountinfo, kLongestMountinfo);
  std::string_view rest = text ? std::string_view(*text) : std::string_view();
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    const std::vector<std::string_view> words = Words(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    for (size_t i = 6; i + 1 < words.size(); ++i) {
      if (words[i] != "-") continue;
      if (words[i + 1] == "cgroup2") mounts.emplace_back(words[4]);
      break;
    }
  }
  return mounts;
}

// The root of the hierarchy is number 1. A mount that a cgroup namespace begins at shows but a part, and
// something else may be mounted over one.
bool IsRootOfUnified(int fd) {
  struct statfs system;
  struct stat info;
  return fstatfs(fd, &system) == 0 && system.f_type == CGROUP2_SUPER_MAGIC && fstat(fd, &info) == 0 &&
         info.st_ino == 1;
}

}  // namespace

CgroupFiles::CgroupFiles(std::string proc) : proc_(std::move(proc)) {
  if (const auto own = ReadProcFile(proc_ + "/self/cgroup", kLongestCgroups)) {
    unified_only_ = HasOnlyUnifiedHierarchy(*own);
  }
  for (const std::string& mount : UnifiedMounts(proc_ + "/self/mountinfo")) {
    const int fd = open(mount.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) continue;
    if (IsRootOfUnified(fd)) {
      mount_fd_ = fd;
      mount_point_ = mount;
      return;
    }
    close(fd);
  }
}

CgroupFiles::~CgroupFiles() { CloseMount(); }

void CgroupFiles::CloseMount() {
  if (mount_fd_ >= 0) close(mount_fd_);
  mount_fd_ = -1;
}

std::optional<std::string> CgroupFiles::PathOf(uint64_t cgroup_id) {
  if (mount_fd_ < 0) return std::nullopt;
  // The id is what a file handle of a cgroup holds, FILEID_KERNFS (include/linux/exportfs.h; kernel 5.5).
  constexpr int kFileIdKernfs = 0xfe;
  alignas(file_handle) std::byte storage[sizeof(file_handle) + sizeof(cgroup_id)];
  auto* handle = reinterpret_cast<file_handle*>(storage);
  handle->handle_bytes = sizeof(cgroup_id);
  handle->handle_type = kFileIdKernfs;
  std::memcpy(storage + sizeof(file_handle), &cgroup_id, sizeof(cgroup_id));
  const int fd = open_by_handle_at(mount_fd_, handle, O_PATH | O_CLOEXEC);
  if (fd < 0) {
    // Another capability does not come while the agent runs.
    if (errno == EPERM || errno == ENOSYS) CloseMount();
    return std::nullopt;
  }
  char target[PATH_MAX];
  // Not of proc_: this is about a descriptor of ours.
  const ssize_t length = readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), target, sizeof(target));
  close(fd);
  if (length <= 0) return std::nullopt;
  std::string_view path(target, length);
  if (!path.starts_with(mount_point_)) return std::nullopt;
  path.remove_prefix(mount_point_.size());
  if (path.empty()) return "/";
  if (path.front() != '/') return std::nullopt;
  return std::string(path);
}

std::optional<std::string> CgroupFiles::CgroupsOf(const Process& process) const {
  const std::string folder = ProcessFolder(proc_, process);
  std::optional<std::string> text = ReadProcFile(folder + "/cgroup", kLongestCgroups);
  if (text && !BelongsTo(folder, process)) text.reset();
  return text;
}

}  // namespace sockflow
