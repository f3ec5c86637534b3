// SPDX-License-Identifier: MIT
#include "source/pcap/owners/socket_search.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace sockflow::pcap {
namespace {

constexpr std::chrono::microseconds kPatience{200};  // of one Find()
// A listening socket is asked for with each session. That a process has it a little longer than it does
// makes an owner unknown at worst.
constexpr std::chrono::milliseconds kStillHeld{50};
constexpr size_t kMostUsers = 16;
constexpr size_t kSearchedUsers = 2;  // through all their descriptors
constexpr uint32_t kYoungest = 32;
constexpr int kMostGenerations = 64;

}  // namespace

// Opened once: it is read for each socket that is not found at once.
SocketSearch::SocketSearch() : load_average_(open("/proc/loadavg", O_RDONLY | O_CLOEXEC)) {}

std::optional<bool> SocketSearch::Holds(uint32_t pid, uint32_t inode) {
  const Held held = {pid, inode};
  const Clock::time_point now = Clock::now();
  if (Seen* seen = seen_.Find(held)) {
    if (now - seen->at < kStillHeld) return true;
    if (holders_.HoldsAt(pid, seen->fd, inode)) {
      seen->at = now;
      return true;
    }
  }
  int fd = -1;
  const std::optional<bool> holds = holders_.Holds(pid, inode, &fd);
  if (fd >= 0) seen_.Put(held, {fd, now});
  return holds;
}

std::optional<uint32_t> SocketSearch::Find(uint32_t inode) {
  const Clock::time_point until = Clock::now() + kPatience;
  if (const std::optional<uint32_t> pid = FindAmongUsers(inode, until)) return pid;
  return FindAmongYoungest(inode, until);
}

std::optional<uint32_t> SocketSearch::FindAmongUsers(uint32_t inode, Clock::time_point until) {
  for (const Place place : users_) {
    if (!holders_.HoldsAt(place.pid, place.fd, inode)) continue;
    Used(place.pid, place.fd);
    return place.pid;
  }
  const std::vector<Place> first(users_.begin(), users_.begin() + std::min(users_.size(), kSearchedUsers));
  for (const Place place : first) {
    if (Clock::now() >= until) return std::nullopt;
    int fd = -1;
    if (holders_.Holds(place.pid, inode, &fd) != true) continue;
    Used(place.pid, fd);
    return place.pid;
  }
  return std::nullopt;
}

std::optional<uint32_t> SocketSearch::FindAmongYoungest(uint32_t inode, Clock::time_point until) {
  const std::optional<uint32_t> latest = LatestPid();
  if (!latest) return std::nullopt;
  for (uint32_t i = 0; i < kYoungest && i < *latest; ++i) {
    if (Clock::now() >= until) return std::nullopt;
    int fd = -1;
    if (holders_.Holds(*latest - i, inode, &fd) != true) continue;
    // Threads have numbers too, and show their process's descriptors.
    const std::optional<SocketHolders::Family> family = holders_.FamilyOf(*latest - i);
    if (!family) return std::nullopt;
    Used(family->pid, fd);
    return family->pid;
  }
  return std::nullopt;
}

std::optional<uint32_t> SocketSearch::FirstOf(const std::vector<uint32_t>& pids) const {
  std::optional<uint32_t> first;
  for (const uint32_t pid : pids) {
    bool descends = false;
    std::optional<SocketHolders::Family> family = holders_.FamilyOf(pid);
    for (int i = 0; i < kMostGenerations && family && family->parent != 0 && !descends; ++i) {
      descends = std::find(pids.begin(), pids.end(), family->parent) != pids.end();
      family = holders_.FamilyOf(family->parent);
    }
    if (descends) continue;
    if (first) return std::nullopt;
    first = pid;
  }
  return first;
}

// The last of "0.00 0.00 0.00 1/100 4711": the number that a process or thread got last.
std::optional<uint32_t> SocketSearch::LatestPid() const {
  char buffer[128];
  const ssize_t length = pread(load_average_.get(), buffer, sizeof(buffer), 0);
  if (length <= 0) return std::nullopt;
  const std::string_view text(buffer, length);
  const size_t space = text.rfind(' ');
  uint32_t pid;
  if (space == std::string_view::npos ||
      std::from_chars(text.data() + space + 1, text.data() + text.size(), pid).ec != std::errc()) {
    return std::nullopt;
  }
  return pid;
}

void SocketSearch::Used(uint32_t pid, int fd) {
  std::erase_if(users_, [&](const Place& place) { return place.pid == pid; });
  if (users_.size() >= kMostUsers) users_.pop_back();
  users_.insert(users_.begin(), {pid, fd});
}

}  // namespace sockflow::pcap
