// SPDX-License-Identifier: MIT
#include "enrich/kubernetes/kubernetes_enricher.h"

namespace sockflow::kubernetes {

Enriched KubernetesEnricher::Enrich(Session& session) {
  if (const uint64_t version = watch_->version(); version != version_) {
    version_ = version;
    directory_ = watch_->directory();
  }
  if (!session.remote_pod) {
    session.remote_pod = directory_->FindByAddress(session.remote.address, session.started);
  }
  if (session.pod) return Enriched::kDone;
  const ContainerFacts* container = session.container.get();
  if (container != nullptr && !container->pod_uid.empty()) {
    session.pod = directory_->FindByUid(container->pod_uid);
  }
  if (container != nullptr && session.pod == nullptr && !container->id.empty()) {
    session.pod = directory_->FindByContainer(container->id);
  }
  // Whose process is known is where its cgroup says: proxies use addresses of pods, too.
  if (!session.process && session.pod == nullptr) {
    session.pod = directory_->FindByAddress(session.local.address, session.started);
  }
  if (session.pod != nullptr) ++found_;
  if (session.pod != nullptr || container == nullptr || container->pod_uid.empty()) return Enriched::kDone;
  watch_->Ask();
  return Enriched::kLater;
}

void KubernetesEnricher::GaveUp(const Session& session) {
  if (session.pod == nullptr) ++unknown_;
}

std::vector<LossCounter> KubernetesEnricher::missing() const {
  std::vector<LossCounter> counters = {{"pod_unknown", unknown_}};
  for (LossCounter& counter : watch_->losses()) counters.push_back(std::move(counter));
  return counters;
}

}  // namespace sockflow::kubernetes
