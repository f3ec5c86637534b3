// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"

namespace sockflow {

// Names of users by uid, from the local user database (a file in the format of /etc/passwd). It is
// read directly and not through NSS: NSS may ask a directory server, and the pipeline must not wait
// for the network.
class UserNames {
 public:
  using Clock = std::chrono::steady_clock;

  explicit UserNames(std::string file = "/etc/passwd");

  // The name, or the uid in decimal if the file does not know it. A file that has changed is read
  // again when an unknown uid is asked for, at most once a second.
  const std::string& NameOf(uint32_t uid, Clock::time_point now = Clock::now());

 private:
  void ReadIfChanged();

  std::string file_;
  absl::flat_hash_map<uint32_t, std::string> names_;
  absl::flat_hash_map<uint32_t, std::string> unknown_;
  Clock::time_point next_look_{};
  int64_t read_version_ = -1;  // modification time of what was read
};

}  // namespace sockflow
