// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "sockflow/session_event.h"

namespace sockflow {

// One process between two execs: the start time tells a reused pid apart, the name changes with exec.
struct ProcessKey {
  explicit ProcessKey(const Process& process)
      : pid(process.pid), start_time(process.start_time), name(process.name) {}

  uint32_t pid;
  uint64_t start_time;
  TaskName name;
  friend bool operator==(const ProcessKey&, const ProcessKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const ProcessKey& key) {
    return H::combine(std::move(h), key.pid, key.start_time, key.name.view().size());
  }
};

// /proc/PID of this process, whether or not there is one.
std::string ProcessFolder(const std::string& proc, const Process& process);

// When the process of a folder of /proc started, in clock ticks since boot; none: it has gone.
std::optional<uint64_t> StartTicks(const std::string& folder);

// Whether a folder of /proc is that of this process, and not of one that has its pid now: asked after
// something was read in it, it tells of what was read. A process without a start time is taken as it is.
bool BelongsTo(const std::string& folder, const Process& process);

// The text of a file of /proc, at most `limit` octets; none: it cannot be read.
std::optional<std::string> ReadProcFile(const std::string& path, size_t limit);

}  // namespace sockflow
