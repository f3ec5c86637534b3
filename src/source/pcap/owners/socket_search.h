// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "source/pcap/owners/file_descriptor_linux.h"
#include "source/pcap/owners/socket_ends.h"
#include "source/pcap/owners/socket_holders.h"

namespace sockflow::pcap {

// Looks for who holds a socket where it is likely: in tens of microseconds, and bounded.
class SocketSearch {
 public:
  SocketSearch();

  // Whether the process has a descriptor of the socket, or had one a moment ago; nullopt: they may not be
  // read.
  std::optional<bool> Holds(uint32_t pid, uint32_t inode);
  bool MayHold(uint32_t pid, uint32_t inode) { return Holds(pid, inode).value_or(true); }

  // Whether the process is gone, or as good as: it has no descriptor any more.
  bool IsGone(uint32_t pid) const { return !holders_.HasDescriptors(pid); }

  // Children of the process's main thread; nullopt: not known.
  std::optional<std::vector<uint32_t>> ChildrenOf(uint32_t pid) const { return holders_.ChildrenOf(pid); }

  // A process that holds the socket: first those of the latest sockets, each at the descriptor where it had
  // one, then the youngest processes. nullopt: not where it was looked.
  std::optional<uint32_t> Find(uint32_t inode);

  // The one of these from which all others descend; nullopt: there is none.
  std::optional<uint32_t> FirstOf(const std::vector<uint32_t>& pids) const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Held {
    uint32_t pid, inode;
    friend bool operator==(const Held&, const Held&) = default;
    template <typename H>
    friend H AbslHashValue(H h, const Held& held) {
      return H::combine(std::move(h), held.pid, held.inode);
    }
  };
  struct Place {
    uint32_t pid;
    int fd;
  };

  std::optional<uint32_t> FindAmongUsers(uint32_t inode, Clock::time_point until);
  std::optional<uint32_t> FindAmongYoungest(uint32_t inode, Clock::time_point until);
  std::optional<uint32_t> LatestPid() const;
  void Used(uint32_t pid, int fd);

  SocketHolders holders_;
  FileDescriptor load_average_;
  struct Seen {
    int fd;
    Clock::time_point at;
  };
  Recent<Held, Seen> seen_{4096};  // where it was
  std::vector<Place> users_;    // the latest first
};

}  // namespace sockflow::pcap
