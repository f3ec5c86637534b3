// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <list>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace sockflow {

// What is known of each key, of at most `capacity` keys: the least recently used are forgotten. What it
// returns lives until the next Put().
template <typename Key, typename Value>
class LruCache {
 public:
  explicit LruCache(size_t capacity) : capacity_(capacity) {}

  // Null: not known.
  Value* Find(const Key& key) {
    const auto known = by_key_.find(key);
    if (known == by_key_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, known->second);
    return &known->second->second;
  }

  Value& Put(const Key& key, Value value) {
    if (Value* known = Find(key)) return *known = std::move(value);
    if (entries_.size() >= capacity_) {
      by_key_.erase(entries_.back().first);
      entries_.pop_back();
    }
    entries_.emplace_front(key, std::move(value));
    by_key_[key] = entries_.begin();
    return entries_.front().second;
  }

  size_t size() const { return entries_.size(); }

 private:
  using Entries = std::list<std::pair<Key, Value>>;

  size_t capacity_;
  Entries entries_;  // most recently used first
  absl::flat_hash_map<Key, typename Entries::iterator> by_key_;
};

}  // namespace sockflow
