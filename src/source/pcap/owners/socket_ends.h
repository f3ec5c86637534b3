// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "sockflow/session_event.h"

namespace sockflow::pcap {

// The ends of a socket, its own first.
struct SocketEnds {
  Endpoint local;
  Endpoint remote;

  friend bool operator==(const SocketEnds&, const SocketEnds&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const SocketEnds& e) {
    return H::combine(std::move(h), e.local.address, e.local.port, e.remote.address, e.remote.port);
  }
};

// Remembers something for the latest keys: of more than `capacity` the oldest are forgotten.
template <typename Key, typename Value>
class Recent {
 public:
  explicit Recent(size_t capacity) : capacity_(capacity) {}

  Value& Put(const Key& key, Value value) {
    // Keys that were taken out leave their place in the order behind.
    if (order_.size() >= 2 * capacity_) Compact();
    while (values_.size() >= capacity_ && !order_.empty()) {
      Drop(order_.front());
      order_.pop_front();
    }
    order_.push_back({key, ++turn_});
    return values_.insert_or_assign(key, Kept{turn_, std::move(value)}).first->second.value;
  }
  Value* Find(const Key& key) {
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second.value;
  }
  void Erase(const Key& key) { values_.erase(key); }
  void Clear() {
    values_.clear();
    order_.clear();
  }
  size_t size() const { return values_.size(); }
  uint64_t forgotten() const { return forgotten_; }  // for want of room

 private:
  struct Kept {
    uint64_t turn;
    Value value;
  };
  struct Place {
    Key key;
    uint64_t turn;
  };

  void Drop(const Place& place) {
    const auto found = values_.find(place.key);
    if (found == values_.end() || found->second.turn != place.turn) return;
    values_.erase(found);
    ++forgotten_;
  }
  void Compact() {
    std::erase_if(order_, [this](const Place& place) {
      const auto found = values_.find(place.key);
      return found == values_.end() || found->second.turn != place.turn;
    });
  }

  size_t capacity_;
  uint64_t turn_ = 0;
  uint64_t forgotten_ = 0;
  absl::flat_hash_map<Key, Kept> values_;
  std::deque<Place> order_;
};

}  // namespace sockflow::pcap
