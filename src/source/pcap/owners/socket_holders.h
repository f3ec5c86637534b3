// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"

namespace sockflow::pcap {

// Looks for sockets among the descriptors of processes (/proc/PID/fd).
class SocketHolders {
 public:
  explicit SocketHolders(std::string proc = "/proc") : proc_(std::move(proc)) {}

  // Whether one of the process's descriptors is this socket, false if it is gone; nullopt: they may not be
  // read. The newest descriptors come first. `at`: which one.
  std::optional<bool> Holds(uint32_t pid, uint32_t inode, int* at = nullptr) const;
  // Whether this very descriptor is.
  // False if it has none, and so ends or has ended. True also if they may not be read.
  bool HasDescriptors(uint32_t pid) const;

  bool HoldsAt(uint32_t pid, int fd, uint32_t inode) const;

  // The descriptors of the process that are sockets, until told to stop; false: they may not be read.
  bool ForEachSocket(uint32_t pid, absl::FunctionRef<bool(int fd, uint32_t inode)> on_socket) const;

  struct Family {
    uint32_t pid = 0;  // of the process, if a thread was asked for
    uint32_t parent = 0;
  };
  // nullopt: there is no such process or thread.
  std::optional<Family> FamilyOf(uint32_t pid_or_thread_id) const;

  // The children of the process's main thread; nullopt: not known.
  std::optional<std::vector<uint32_t>> ChildrenOf(uint32_t pid) const;

  // As which user the process runs, root if it is to be kept from others; nullopt: it is gone.
  std::optional<uint32_t> UserOf(uint32_t pid) const;

  // Whether this process has the capabilities to read descriptors of other users' processes.
  static bool MayReadOthers();

  // All processes, the newest first as far as the pids tell.
  std::vector<uint32_t> Processes() const;

 private:
  std::string proc_;
};

}  // namespace sockflow::pcap
