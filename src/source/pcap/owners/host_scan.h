// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/pcap/owners/file_descriptor_linux.h"
#include "source/pcap/owners/listener_table.h"
#include "source/pcap/owners/socket_holders.h"

namespace sockflow::pcap {

// Looks through the descriptors of all processes, which takes up to 60 us for each of them, in a thread of
// its own and in portions: it never takes more than about a sixth of a core.
class HostScan {
 public:
  // Who holds a socket. Complete: of all processes whose descriptors may be read.
  struct Holders {
    uint32_t inode = 0;
    std::vector<uint32_t> pids;
  };
  struct Results {
    std::optional<std::vector<ListeningSocket>> listening;
    std::vector<Holders> holders;
  };

  HostScan();
  ~HostScan();

  // Asks for a list of all listening sockets and who holds them.
  void ListListening();
  // Asks who holds this socket. Bounded: false if too many are waited for.
  bool FindHolders(uint32_t inode);
  // Nobody waits for it any more.
  void Forget(uint32_t inode);

  Results Take();
  // Becomes readable when there are results.
  int descriptor() const { return ready_.get(); }

 private:
  struct Wanted {
    bool begun = false;  // a scan has it from its beginning on
    std::vector<uint32_t> pids;
  };

  void Run(std::stop_token stop);
  // One look at all processes; false: stopped.
  bool Scan(const std::stop_token& stop);
  void Tell();  // with mutex_ held

  SocketHolders holders_;
  FileDescriptor ready_;
  std::mutex mutex_;
  std::condition_variable_any something_to_do_;
  bool list_asked_ = false;
  absl::flat_hash_map<uint32_t, Wanted> wanted_;  // by inode
  Results results_;
  std::atomic<bool> has_results_ = false;
  std::jthread thread_;  // last: the rest is there as it runs
};

}  // namespace sockflow::pcap
