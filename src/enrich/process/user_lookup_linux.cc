// SPDX-License-Identifier: MIT
#include "enrich/process/user_lookup.h"

#include <pwd.h>

#include <cerrno>
#include <cstddef>
#include <string_view>
#include <vector>

#include "fmt/format.h"

namespace sockflow {
namespace {

// Some of a directory's entries are long; none is longer than this.
constexpr size_t kLongestEntry = 1 << 20;
constexpr size_t kLongestName = 255;  // LOGIN_NAME_MAX without its NUL

absl::StatusOr<std::string> Ask(uint32_t uid) {
  std::vector<char> buffer(1024);
  passwd entry;
  passwd* found = nullptr;
  int error;
  while ((error = getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found)) == EINTR ||
         (error == ERANGE && buffer.size() < kLongestEntry)) {
    if (error == ERANGE) buffer.resize(buffer.size() * 4);
  }
  if (found != nullptr) {
    const std::string_view name = found->pw_name;
    if (!name.empty() && name.size() <= kLongestName) return std::string(name);
  }
  // Modules say in all these ways that there is no such user (getpwuid(3)).
  if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM) {
    return absl::NotFoundError(fmt::format("no user {}", uid));
  }
  return absl::ErrnoToStatus(error, fmt::format("user {}", uid));
}

}  // namespace

UserLookup SystemUserLookup() { return Ask; }

}  // namespace sockflow
