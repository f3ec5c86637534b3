// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "process_description.h"
#include "sockflow/lru_cache.h"
#include "sockflow/session_event.h"
#include "tcp_event.h"

namespace sockflow {

// What the kernel half has told of processes, for the events that name them. The least recently used
// ones are forgotten.
class ProcessDetails {
 public:
  // More than the kernel half remembers to have told: what is forgotten here is soon told again.
  static constexpr size_t kCapacity = 2 * SOCKFLOW_DESCRIBED_PROCESSES;

  explicit ProcessDetails(size_t capacity = kCapacity) : details_(capacity) {}

  // Takes in a record of the ring buffer. False: it is no description.
  bool Add(const void* record, size_t octets);

  // Null: it was not described, or is forgotten.
  std::shared_ptr<const ProcessDetail> Find(const tcp_event_owner& owner);

  size_t size() const { return details_.size(); }

 private:
  struct Key {
    uint64_t start_time, exec_id, cgroup_id;
    uint32_t pid;
    friend bool operator==(const Key&, const Key&) = default;
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.start_time, key.exec_id, key.cgroup_id, key.pid);
    }
  };

  LruCache<Key, std::shared_ptr<const ProcessDetail>> details_;
};

}  // namespace sockflow
