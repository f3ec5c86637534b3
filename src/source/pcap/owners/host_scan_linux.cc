// SPDX-License-Identifier: MIT
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "source/pcap/owners/host_scan.h"
#include "source/pcap/owners/socket_tables.h"

namespace sockflow::pcap {
namespace {

using Clock = std::chrono::steady_clock;

// After so much work it rests five times as long.
constexpr Clock::duration kPortion = std::chrono::milliseconds(2);
constexpr int kRest = 5;
constexpr size_t kMostWanted = 4096;

// Rests when it has worked for a portion. False: stop.
class Pace {
 public:
  bool Go(const std::stop_token& stop) {
    if (Clock::now() - since_ < kPortion) return !stop.stop_requested();
    std::this_thread::sleep_for(kRest * (Clock::now() - since_));
    since_ = Clock::now();
    return !stop.stop_requested();
  }

 private:
  Clock::time_point since_ = Clock::now();
};

std::vector<ListeningSocket> ListSockets() {
  std::vector<ListeningSocket> listening;
  absl::StatusOr<SocketTables> tables = SocketTables::Open();
  if (!tables.ok()) return listening;
  const auto sockets = tables->Listening();
  if (!sockets.ok()) return listening;
  for (const SocketFacts& socket : *sockets) {
    listening.push_back({.local = socket.local,
                         .only_v6 = socket.only_v6,
                         .bound_to_interface = socket.interface != 0,
                         .uid = socket.uid,
                         .inode = socket.inode});
  }
  return listening;
}

}  // namespace

HostScan::HostScan()
    : ready_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this](std::stop_token stop) { Run(std::move(stop)); }) {}

HostScan::~HostScan() = default;

void HostScan::ListListening() {
  const std::lock_guard lock(mutex_);
  list_asked_ = true;
  something_to_do_.notify_one();
}

bool HostScan::FindHolders(uint32_t inode) {
  const std::lock_guard lock(mutex_);
  if (wanted_.size() >= kMostWanted && !wanted_.contains(inode)) return false;
  wanted_.try_emplace(inode);
  something_to_do_.notify_one();
  return true;
}

void HostScan::Forget(uint32_t inode) {
  const std::lock_guard lock(mutex_);
  wanted_.erase(inode);
}

HostScan::Results HostScan::Take() {
  if (!has_results_.load(std::memory_order_relaxed)) return {};
  const std::lock_guard lock(mutex_);
  has_results_ = false;
  uint64_t count;
  [[maybe_unused]] const ssize_t length = read(ready_.get(), &count, sizeof(count));
  return std::exchange(results_, {});
}

void HostScan::Tell() {
  has_results_ = true;
  const uint64_t one = 1;
  // Cannot fail short of 2^64 - 1 calls without a Take().
  [[maybe_unused]] const ssize_t written = write(ready_.get(), &one, sizeof(one));
}

void HostScan::Run(std::stop_token stop) {
  // Signals are for the threads that wait for them.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (!something_to_do_.wait(lock, stop, [this] { return list_asked_ || !wanted_.empty(); })) return;
    }
    const Clock::time_point begin = Clock::now();
    if (!Scan(stop)) return;
    // Short scans, one after another, rest as well.
    std::this_thread::sleep_for(std::min<Clock::duration>(kRest * (Clock::now() - begin), kRest * kPortion));
  }
}

bool HostScan::Scan(const std::stop_token& stop) {
  bool listing;
  {
    const std::lock_guard lock(mutex_);
    listing = std::exchange(list_asked_, false);
    for (auto& [inode, wanted] : wanted_) wanted.begun = true;
  }
  std::vector<ListeningSocket> listening;
  absl::flat_hash_map<uint32_t, size_t> listening_by_inode;
  if (listing) listening = ListSockets();
  for (size_t i = 0; i < listening.size(); ++i) listening_by_inode[listening[i].inode] = i;
  absl::flat_hash_set<uint32_t> unreadable;  // users
  Pace pace;
  std::vector<uint32_t> held;
  for (const uint32_t pid : holders_.Processes()) {
    if (!pace.Go(stop)) return false;
    held.clear();
    const bool readable = holders_.ForEachSocket(pid, [&](int, uint32_t inode) {
      held.push_back(inode);
      return true;
    });
    if (const auto user = readable ? std::nullopt : holders_.UserOf(pid)) unreadable.insert(*user);
    for (const uint32_t inode : held) {
      const auto found = listening_by_inode.find(inode);
      if (found == listening_by_inode.end()) continue;
      auto& holders = listening[found->second].holders;
      if (holders.empty() || holders.back() != pid) holders.push_back(pid);
    }
    const std::lock_guard lock(mutex_);
    for (const uint32_t inode : held) {
      const auto found = wanted_.find(inode);
      if (found == wanted_.end()) continue;
      std::vector<uint32_t>& pids = found->second.pids;
      if (std::find(pids.begin(), pids.end(), pid) == pids.end()) pids.push_back(pid);
    }
  }
  // Where some of its user's processes may not be read, one that is seen with another user's socket need
  // not be the only one.
  for (ListeningSocket& socket : listening) {
    if (unreadable.contains(socket.uid) && socket.uid != geteuid()) socket.holders.clear();
  }
  const std::lock_guard lock(mutex_);
  if (listing) results_.listening = std::move(listening);
  for (auto wanted = wanted_.begin(); wanted != wanted_.end();) {
    const auto current = wanted++;
    if (!current->second.begun) continue;
    results_.holders.push_back({current->first, std::move(current->second.pids)});
    wanted_.erase(current);
  }
  if (listing || !results_.holders.empty()) Tell();
  return true;
}

}  // namespace sockflow::pcap
