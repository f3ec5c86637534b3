// SPDX-License-Identifier: MIT
#include "enrich/container/container_enricher.h"

#include "enrich/container/cgroup_path.h"

namespace sockflow {

ContainerEnricher::ContainerEnricher(std::string proc, size_t capacity)
    : files_(std::move(proc)), by_cgroup_(capacity), by_process_(capacity), by_id_(capacity) {}

Enriched ContainerEnricher::Enrich(Session& session) {
  if (session.process && session.container == nullptr) session.container = ContainerOf(*session.process);
  return Enriched::kDone;
}

ContainerEnricher::Container ContainerEnricher::ContainerOf(const Process& process) {
  if (const std::optional<Container> known = Known(process)) {
    ++stats_.hits;
    return *known;
  }
  ++stats_.misses;
  // One that was too long for its source lacks its beginning, where there may be more containers and the pod.
  if (process.detail != nullptr && process.detail->cgroup_path.starts_with('/')) {
    if (const auto told = ByPath(process, process.detail->cgroup_path)) return *told;
  } else if (process.cgroup_id != 0) {
    if (const std::optional<std::string> path = files_.PathOf(process.cgroup_id)) {
      if (const auto found = ByPath(process, *path)) return *found;
    }
  }
  const std::optional<std::string> cgroups = files_.CgroupsOf(process);
  if (!cgroups) ++stats_.unknown;
  // Not by the cgroup's id: the process may have been moved since the kernel told it.
  return by_process_.Put({ProcessKey(process), process.cgroup_id},
                         cgroups ? Shared(ContainerOfCgroups(*cgroups)) : nullptr);
}

std::optional<ContainerEnricher::Container> ContainerEnricher::Known(const Process& process) {
  if (process.cgroup_id != 0) {
    if (const Container* known = by_cgroup_.Find(process.cgroup_id)) return *known;
  }
  if (const Container* known = by_process_.Find({ProcessKey(process), process.cgroup_id})) return *known;
  return std::nullopt;
}

std::optional<ContainerEnricher::Container> ContainerEnricher::ByPath(const Process& process,
                                                                      const std::string& path) {
  Container container = Shared(ContainerOfCgroup(path));
  if (container == nullptr && !files_.unified_only()) return std::nullopt;
  if (process.cgroup_id != 0) by_cgroup_.Put(process.cgroup_id, container);
  return container;
}

ContainerEnricher::Container ContainerEnricher::Shared(std::optional<ContainerFacts> facts) {
  if (!facts) return nullptr;
  const Container* known = by_id_.Find(facts->id);
  if (known != nullptr && (*known)->runtime == facts->runtime && (*known)->pod_uid == facts->pod_uid) {
    return *known;
  }
  const std::string id = facts->id;
  return by_id_.Put(id, std::make_shared<const ContainerFacts>(*std::move(facts)));
}

}  // namespace sockflow
