// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "enrich/kubernetes/pod.h"
#include "sockflow/time.h"

namespace sockflow::kubernetes {

// Which pods there are, at one moment: never changes, so that any thread may read it without a lock.
class PodDirectory {
 public:
  // Null: not known. Dashes in a uid are of no account, nor are they in the names of cgroups.
  std::shared_ptr<const PodFacts> FindByUid(std::string_view uid) const;
  std::shared_ptr<const PodFacts> FindByContainer(std::string_view container_id) const;
  // Who has the address, or had it last. A pod that started after `at` cannot have had it then.
  std::shared_ptr<const PodFacts> FindByAddress(const IpAddress& address, Time at) const;

  size_t size() const { return pods_; }

 private:
  friend class PodTable;

  using PodPtr = std::shared_ptr<const Pod>;

  size_t pods_ = 0;
  absl::flat_hash_map<std::string, PodPtr> by_uid_;  // without dashes
  // The keys are octets of the pods.
  absl::flat_hash_map<std::string_view, PodPtr, std::hash<std::string_view>> by_container_;
  absl::flat_hash_map<IpAddress, PodPtr> by_address_;
};

// Follows what the API tells, and makes directories of it. Bounded; knows no clock.
class PodTable {
 public:
  using Moment = std::chrono::steady_clock::time_point;

  struct Options {
    // Most pods that are remembered, gone ones included, which are forgotten first.
    size_t max_pods = 100'000;
    // How long a pod that is gone is still found: its sessions end after it.
    Duration linger = std::chrono::minutes(5);
  };

  explicit PodTable(Options options) : options_(options) {}

  // The pod is there (ADDED, MODIFIED).
  void Put(Pod pod, Moment now);
  // The pod is no more (DELETED); `pod`: what it was.
  void Delete(Pod pod, Moment now);
  // These are all there are: others have gone.
  void Replace(std::vector<Pod> pods, Moment now);

  // Forgets pods that have been gone for long.
  void Expire(Moment now);

  std::shared_ptr<const PodDirectory> MakeDirectory() const;

  size_t size() const { return entries_.size(); }
  // Pods that found no room since the last call.
  uint64_t TakeLeftOut() { return std::exchange(left_out_, 0); }

 private:
  struct Entry;
  using Entries = absl::flat_hash_map<std::string, Entry>;
  using GoneList = std::list<std::pair<Moment, std::string>>;  // uids, who went first is first

  struct Entry {
    std::shared_ptr<const Pod> pod;
    uint64_t addressed = 0;  // grows: which of two pods got its address later
    bool is_gone = false;
    GoneList::iterator gone;  // if it is
  };

  Entry* Store(Pod pod);
  void SetGone(const std::string& uid, Entry& entry, bool is_gone, Moment now);

  Options options_;
  Entries entries_;
  GoneList gone_;
  uint64_t order_ = 0;
  uint64_t left_out_ = 0;
};

}  // namespace sockflow::kubernetes
