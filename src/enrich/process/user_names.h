// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "enrich/process/user_lookup.h"
#include "enrich/process/user_resolver.h"
#include "sockflow/lru_cache.h"

namespace sockflow {

// Names of users by uid: from the local user database (a file in the format of /etc/passwd), and for uids
// that it does not know from the system's lookup. That may ask a directory server, for which the pipeline must
// not wait: until the answer is there, a uid is named in decimal.
class UserNames {
 public:
  using Clock = std::chrono::steady_clock;

  // `lookup` null: the file alone. Of uids that the file does not know the last `capacity` are remembered.
  explicit UserNames(std::string file = "/etc/passwd", UserLookup lookup = SystemUserLookup(),
                     size_t capacity = 16'384);

  // The name, or the uid in decimal while or if it has none; valid until the next call. A file that has
  // changed is read again when an unknown uid is asked for, at most once a second. An answer of the lookup
  // counts ten minutes, then the old name stands until there is a new answer; that a user is not known, or
  // could not be asked for, counts one minute.
  const std::string& NameOf(uint32_t uid, Clock::time_point now = Clock::now());

  struct Stats {
    uint64_t lookups = 0;    // calls of NameOf
    uint64_t asked = 0;      // questions to the lookup
    uint64_t found = 0;      // of the answers
    uint64_t not_found = 0;  // there is no such user
    uint64_t failed = 0;     // the database could not be asked
    uint64_t refused = 0;    // not asked, as too many questions wait
  };
  const Stats& stats() const { return stats_; }
  size_t size() const { return names_.size() + others_.size(); }

 private:
  struct Entry {
    std::string name;
    bool asked = false;           // and not answered
    Clock::time_point valid_to{};  // then it is asked for again
  };

  void ReadIfChanged();
  void TakeAnswers(Clock::time_point now);

  std::string file_;
  absl::flat_hash_map<uint32_t, std::string> names_;  // of the file
  LruCache<uint32_t, Entry> others_;
  bool has_lookup_;
  UserResolver resolver_;
  Clock::time_point next_look_{};
  int64_t read_version_ = -1;  // modification time of what was read
  Stats stats_;
};

}  // namespace sockflow
