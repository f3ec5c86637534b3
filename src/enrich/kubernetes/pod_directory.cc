// SPDX-License-Identifier: MIT
#include "enrich/kubernetes/pod_directory.h"

#include <utility>

#include "absl/container/flat_hash_set.h"

namespace sockflow::kubernetes {
namespace {

std::string WithoutDashes(std::string_view uid) {
  std::string key(uid);
  std::erase(key, '-');
  return key;
}

template <typename Map, typename Key>
std::shared_ptr<const PodFacts> Find(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : found->second->facts;
}

}  // namespace

std::shared_ptr<const PodFacts> PodDirectory::FindByUid(std::string_view uid) const {
  return Find(by_uid_, WithoutDashes(uid));
}

std::shared_ptr<const PodFacts> PodDirectory::FindByContainer(std::string_view container_id) const {
  return Find(by_container_, container_id);
}

std::shared_ptr<const PodFacts> PodDirectory::FindByAddress(const IpAddress& address, Time at) const {
  const auto found = by_address_.find(address);
  if (found == by_address_.end() || found->second->started > at) return nullptr;
  return found->second->facts;
}

PodTable::Entry* PodTable::Store(Pod pod) {
  auto known = entries_.find(pod.uid);
  if (known == entries_.end()) {
    if (entries_.size() >= options_.max_pods && !gone_.empty()) {
      entries_.erase(gone_.front().second);
      gone_.pop_front();
    }
    if (entries_.size() >= options_.max_pods) {
      ++left_out_;
      return nullptr;
    }
    known = entries_.emplace(pod.uid, Entry{}).first;
  }
  Entry& entry = known->second;
  // What a pod had is its still when it is about to go and its status tells no more of it.
  if (entry.pod != nullptr && pod.addresses.empty()) pod.addresses = entry.pod->addresses;
  if (entry.pod != nullptr && pod.container_ids.empty()) pod.container_ids = entry.pod->container_ids;
  if (entry.pod == nullptr || entry.pod->addresses != pod.addresses) entry.addressed = ++order_;
  entry.pod = std::make_shared<const Pod>(std::move(pod));
  return &entry;
}

void PodTable::SetGone(const std::string& uid, Entry& entry, bool is_gone, Moment now) {
  if (entry.is_gone == is_gone) return;
  entry.is_gone = is_gone;
  if (is_gone) {
    entry.gone = gone_.insert(gone_.end(), {now, uid});
  } else {
    gone_.erase(entry.gone);
  }
}

void PodTable::Put(Pod pod, Moment now) {
  if (Entry* entry = Store(std::move(pod))) {
    SetGone(entry->pod->uid, *entry, entry->pod->finished, now);
  }
}

void PodTable::Delete(Pod pod, Moment now) {
  if (Entry* entry = Store(std::move(pod))) SetGone(entry->pod->uid, *entry, true, now);
}

void PodTable::Replace(std::vector<Pod> pods, Moment now) {
  // First what has gone, so that it makes room for what has come.
  absl::flat_hash_set<std::string_view, std::hash<std::string_view>> listed;
  for (const Pod& pod : pods) listed.insert(pod.uid);
  for (auto& [uid, entry] : entries_) {
    if (!listed.contains(uid)) SetGone(uid, entry, true, now);
  }
  for (Pod& pod : pods) Put(std::move(pod), now);
}

void PodTable::Expire(Moment now) {
  while (!gone_.empty() && gone_.front().first + options_.linger <= now) {
    entries_.erase(gone_.front().second);
    gone_.pop_front();
  }
}

std::shared_ptr<const PodDirectory> PodTable::MakeDirectory() const {
  auto directory = std::make_shared<PodDirectory>();
  directory->pods_ = entries_.size();
  directory->by_uid_.reserve(entries_.size());
  directory->by_container_.reserve(entries_.size());
  directory->by_address_.reserve(entries_.size());
  // Of two pods with one address the one that is there has it, else the one that got it later.
  absl::flat_hash_map<IpAddress, const Entry*> holders;
  holders.reserve(entries_.size());
  for (const auto& [uid, entry] : entries_) {
    directory->by_uid_[WithoutDashes(uid)] = entry.pod;
    if (!entry.pod->static_uid.empty()) {
      directory->by_uid_[WithoutDashes(entry.pod->static_uid)] = entry.pod;
    }
    // Not by assignment, which would leave the key of a pod that nobody holds.
    for (const std::string& id : entry.pod->container_ids) directory->by_container_.emplace(id, entry.pod);
    for (const IpAddress& address : entry.pod->addresses) {
      const Entry*& holder = holders[address];
      const auto rank = [](const Entry& e) { return std::pair(!e.is_gone, e.addressed); };
      if (holder == nullptr || rank(*holder) < rank(entry)) holder = &entry;
    }
  }
  for (const auto& [address, entry] : holders) directory->by_address_[address] = entry->pod;
  return directory;
}

}  // namespace sockflow::kubernetes
