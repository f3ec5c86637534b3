// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "enrich/container/cgroup_files.h"
#include "enrich/process/process_folder.h"
#include "sockflow/enricher.h"
#include "sockflow/lru_cache.h"

namespace sockflow {

// The container of the process, by the cgroup it is in. Of that the path is taken as the source tells it,
// else found by the cgroup's id, else read in /proc. What was found stays with the session, and with later
// ones of the same cgroup, when the container has gone; the least recently used are forgotten.
class ContainerEnricher final : public Enricher {
 public:
  explicit ContainerEnricher(std::string proc = "/proc", size_t capacity = 4096);

  Enriched Enrich(Session& session) override;
  std::vector<LossCounter> missing() const override { return {{"container_unknown", stats_.unknown}}; }

  std::vector<CacheStats> caches() const override {
    return {{"containers", by_cgroup_.size() + by_process_.size(), stats_.hits, stats_.misses}};
  }

  struct Stats {
    uint64_t hits = 0;
    uint64_t misses = 0;
    uint64_t unknown = 0;  // of the misses: whether it is in a container could not be found out
  };
  const Stats& stats() const { return stats_; }

 private:
  using Container = std::shared_ptr<const ContainerFacts>;  // null: in none

  Container ContainerOf(const Process& process);
  // What is known without asking the system; none: nothing is.
  std::optional<Container> Known(const Process& process);
  // Of a path in the unified hierarchy; none: it does not settle the matter.
  std::optional<Container> ByPath(const Process& process, const std::string& path);
  // The same object for all cgroups of a container.
  Container Shared(std::optional<ContainerFacts> facts);

  CgroupFiles files_;
  LruCache<uint64_t, Container> by_cgroup_;  // a cgroup id stands for one cgroup until the next boot
  LruCache<std::pair<ProcessKey, uint64_t>, Container> by_process_;  // with the cgroup id: it may be moved
  LruCache<std::string, Container> by_id_;
  Stats stats_;
};

}  // namespace sockflow
