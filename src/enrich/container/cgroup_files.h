// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sockflow/session_event.h"

namespace sockflow {

// Where the kernel says in which cgroup a process is. `proc` is where the host's /proc is mounted.
class CgroupFiles {
 public:
  explicit CgroupFiles(std::string proc);
  ~CgroupFiles();
  CgroupFiles(const CgroupFiles&) = delete;
  CgroupFiles& operator=(const CgroupFiles&) = delete;

  // The path of a cgroup of cgroup v2, from the root of its hierarchy. None: it is gone, or this may not
  // be asked (CAP_DAC_READ_SEARCH), or the whole hierarchy is mounted nowhere. Does not take the kernel's
  // lock of all cgroups, as /proc/PID/cgroup does.
  std::optional<std::string> PathOf(uint64_t cgroup_id);

  // The text of /proc/PID/cgroup. None: the process has gone, or is hidden.
  std::optional<std::string> CgroupsOf(const Process& process) const;

  // Whether the host has cgroup v2 alone. Hybrid hosts and those with cgroup v1 place processes elsewhere, and
  // leave them in any cgroup of v2.
  bool unified_only() const { return unified_only_; }
  // Whether PathOf() can work.
  bool finds_by_id() const { return mount_fd_ >= 0; }

 private:
  void CloseMount();

  std::string proc_;
  std::string mount_point_;
  int mount_fd_ = -1;
  bool unified_only_ = false;
};

}  // namespace sockflow
