// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "enrich/process/process_folder.h"
#include "sockflow/lru_cache.h"
#include "sockflow/session_event.h"

namespace sockflow {

// What /proc says of processes. A process is known by pid, start time and name: the start time tells a
// reused pid apart, the name changes with exec. Needs CAP_SYS_PTRACE for other users' processes. The least
// recently used ones are forgotten.
class ProcFiles {
 public:
  struct Options {
    std::string proc = "/proc";
    size_t capacity = 4096;
    size_t command_line_octets = 0;  // most that are read; 0: none
  };

  // Empty if the process has gone, may not be looked at, or is not told (/proc hidden or not mounted).
  struct Facts {
    std::string executable;    // " (deleted)" at the end is the kernel's word for a file that is no more
    std::string command_line;  // as CommandLineText has it
  };

  explicit ProcFiles(Options options) : options_(std::move(options)), facts_(options_.capacity) {}

  // Valid until the next call.
  const Facts& Of(const Process& process);

  struct Stats {
    uint64_t hits = 0;
    uint64_t misses = 0;
    uint64_t unknown = 0;  // of the misses
  };
  const Stats& stats() const { return stats_; }
  size_t size() const { return facts_.size(); }

 private:
  Facts Read(const Process& process) const;

  Options options_;
  LruCache<ProcessKey, Facts> facts_;
  Stats stats_;
};

}  // namespace sockflow
