// SPDX-License-Identifier: MIT
#include <pwd.h>
#include <sys/stat.h>

#include <cstdio>
#include <memory>
#include <utility>

#include "enrich/process/user_names.h"

namespace sockflow {
namespace {

// User namespaces make for many uids without a name; what is remembered of them is bounded.
constexpr size_t kMaxUnknown = 65'536;

}  // namespace

UserNames::UserNames(std::string file) : file_(std::move(file)) { ReadIfChanged(); }

void UserNames::ReadIfChanged() {
  struct stat info;
  if (stat(file_.c_str(), &info) != 0) return;  // what was known stays
  const int64_t version = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  if (version == read_version_) return;
  const std::unique_ptr<FILE, int (*)(FILE*)> stream(fopen(file_.c_str(), "re"), fclose);
  if (stream == nullptr) return;
  names_.clear();
  unknown_.clear();
  // The first name of a uid counts, as it does for getpwuid().
  while (const passwd* entry = fgetpwent(stream.get())) {
    names_.try_emplace(entry->pw_uid, entry->pw_name);
  }
  read_version_ = version;
}

const std::string& UserNames::NameOf(uint32_t uid, Clock::time_point now) {
  if (const auto known = names_.find(uid); known != names_.end()) return known->second;
  if (now >= next_look_) {
    next_look_ = now + std::chrono::seconds(1);
    ReadIfChanged();
    if (const auto known = names_.find(uid); known != names_.end()) return known->second;
  }
  if (unknown_.size() >= kMaxUnknown) unknown_.clear();
  return unknown_.try_emplace(uid, std::to_string(uid)).first->second;
}

}  // namespace sockflow
