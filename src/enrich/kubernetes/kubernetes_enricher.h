// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "enrich/kubernetes/pod_watch.h"
#include "sockflow/enricher.h"

namespace sockflow::kubernetes {

// Names the pods at both ends of a session, of those that run on this node.
class KubernetesEnricher final : public Enricher {
 public:
  explicit KubernetesEnricher(std::unique_ptr<PodWatch> watch)
      : watch_(std::move(watch)), directory_(watch_->directory()) {}

  Enriched Enrich(Session& session) override;
  uint64_t news() const override { return watch_->version(); }
  void GaveUp(const Session& session) override;
  std::vector<LossCounter> missing() const override;
  std::vector<CacheStats> caches() const override {
    return {{"pods", directory_->size(), found_, unknown_}};
  }

 private:
  std::unique_ptr<PodWatch> watch_;
  std::shared_ptr<const PodDirectory> directory_;
  uint64_t version_ = 0;  // of the directory
  uint64_t found_ = 0;  // pods of this host's end
  uint64_t unknown_ = 0;
};

}  // namespace sockflow::kubernetes
