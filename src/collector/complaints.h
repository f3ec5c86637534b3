// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/container/node_hash_map.h"

namespace sockflow::collector {

// Logs warnings that a stranger can cause as often as he likes: of each kind the first at once,
// then at most one a minute, which says how many there were.
class Complaints {
 public:
  using Moment = std::chrono::steady_clock::time_point;

  // `kind` is one of a fixed few.
  void Say(std::string_view kind, std::string_view sentence, Moment now);
  // Says what has been held back for a minute. Call now and then.
  void Tick(Moment now);

 private:
  struct Kind {
    Moment said{};
    uint64_t held_back = 0;
    std::string last;  // the sentence held back
  };

  void SayHeldBack(Kind& kind, Moment now);

  absl::node_hash_map<std::string, Kind> kinds_;
};

}  // namespace sockflow::collector
