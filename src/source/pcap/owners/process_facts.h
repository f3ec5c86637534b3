// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "source/pcap/owners/process_table.h"

namespace sockflow::pcap {

// Reads what /proc tells of processes.
class ProcessReader {
 public:
  explicit ProcessReader(std::string proc = "/proc");

  // nullopt: there is no such process. All of it is of one process, even if the pid is used again
  // meanwhile.
  std::optional<ProcessFacts> Read(uint32_t pid);
  // Only its name, parent and start time.
  std::optional<Process> ReadBasics(uint32_t pid) const;
  std::optional<TaskName> ReadThreadName(uint32_t pid, uint32_t thread_id) const;

 private:
  Network NetworkOf(int folder) const;
  uint64_t CgroupId(int folder);

  std::string proc_;
  uint64_t tick_ns_;
  uint64_t our_network_ = 0;  // inode; 0: not known
  absl::flat_hash_map<std::string, uint64_t> cgroups_;  // by path; bounded
};

// By the start time of /proc, which is in clock ticks of 10 ms, rounded down: what is neither is not
// known.
bool SurelyBeganBefore(const Process& process, Time at);
bool SurelyBeganAfter(const Process& process, Time at);

}  // namespace sockflow::pcap
