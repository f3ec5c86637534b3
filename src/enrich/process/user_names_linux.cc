// SPDX-License-Identifier: MIT
#include <pwd.h>
#include <sys/stat.h>

#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "enrich/process/user_names.h"

namespace sockflow {
namespace {

constexpr auto kNameLifetime = std::chrono::minutes(10);
constexpr auto kNoNameLifetime = std::chrono::minutes(1);
constexpr auto kRefusalLifetime = std::chrono::seconds(1);

}  // namespace

UserNames::UserNames(std::string file, UserLookup lookup, size_t capacity)
    : file_(std::move(file)),
      others_(capacity),
      has_lookup_(lookup != nullptr),
      resolver_(std::move(lookup)) {
  ReadIfChanged();
}

void UserNames::ReadIfChanged() {
  struct stat info;
  if (stat(file_.c_str(), &info) != 0) return;  // what was known stays
  const int64_t version = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  if (version == read_version_) return;
  const std::unique_ptr<FILE, int (*)(FILE*)> stream(fopen(file_.c_str(), "re"), fclose);
  if (stream == nullptr) return;
  names_.clear();
  // The first name of a uid counts, as it does for getpwuid().
  while (const passwd* entry = fgetpwent(stream.get())) {
    names_.try_emplace(entry->pw_uid, entry->pw_name);
  }
  read_version_ = version;
}

const std::string& UserNames::NameOf(uint32_t uid, Clock::time_point now) {
  ++stats_.lookups;
  if (const auto known = names_.find(uid); known != names_.end()) return known->second;
  if (now >= next_look_) {
    next_look_ = now + std::chrono::seconds(1);
    ReadIfChanged();
    if (const auto known = names_.find(uid); known != names_.end()) return known->second;
  }
  TakeAnswers(now);
  Entry* entry = others_.Find(uid);
  if (entry == nullptr) entry = &others_.Put(uid, {.name = std::to_string(uid)});
  if (has_lookup_ && !entry->asked && now >= entry->valid_to) {
    entry->asked = resolver_.Ask(uid);
    if (entry->asked) {
      ++stats_.asked;
    } else {
      ++stats_.refused;
      entry->valid_to = now + kRefusalLifetime;
    }
  }
  return entry->name;
}

void UserNames::TakeAnswers(Clock::time_point now) {
  for (UserResolver::Answer& answer : resolver_.TakeAnswers()) {
    Entry* entry = others_.Find(answer.uid);
    if (entry == nullptr) entry = &others_.Put(answer.uid, {.name = std::to_string(answer.uid)});
    entry->asked = false;
    entry->valid_to = now + (answer.name.ok() ? Clock::duration(kNameLifetime) : kNoNameLifetime);
    if (answer.name.ok()) {
      ++stats_.found;
      entry->name = *std::move(answer.name);
    } else if (absl::IsNotFound(answer.name.status())) {
      ++stats_.not_found;
      entry->name = std::to_string(answer.uid);
    } else {
      ++stats_.failed;  // and a name that was known stays
    }
  }
}

}  // namespace sockflow
