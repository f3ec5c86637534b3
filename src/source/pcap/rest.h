// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "sockflow/time.h"

namespace sockflow::pcap {

// Where the capture thread rests: until there is something to read, a time is over, or another thread
// wakes it.
class Rest {
 public:
  static absl::StatusOr<std::unique_ptr<Rest>> Make();
  virtual ~Rest() = default;

  // Until one of the descriptors is readable (or broken), at most `longest`. None: only Wake() ends it
  // early.
  virtual void Wait(std::span<const int> descriptors, Duration longest) = 0;

  // Ends the Wait that is going on, or the next one. From any thread, async-signal-safe.
  virtual void Wake() = 0;
};

}  // namespace sockflow::pcap
