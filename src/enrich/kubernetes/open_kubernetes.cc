// SPDX-License-Identifier: MIT
#include "enrich/kubernetes/open_kubernetes.h"

#include <memory>
#include <random>
#include <utility>

#include "enrich/kubernetes/kubernetes_enricher.h"

namespace sockflow {

absl::StatusOr<std::unique_ptr<Enricher>> OpenKubernetes(const KubernetesOptions& options) {
  auto client = kubernetes::MakeApiClient(options.server, options.ca_file);
  if (!client.ok()) return client.status();
  using Source = kubernetes::PodWatch::Options::Source;
  const auto generator = std::make_shared<std::minstd_rand>(std::random_device()());
  auto watch = std::make_unique<kubernetes::PodWatch>(
      kubernetes::PodWatch::Options{
          .source = options.from_kubelet ? Source::kKubelet : Source::kApi,
          .node_name = options.node_name,
          .token_file = options.token_file,
          .labels = options.labels,
          .random = [generator] { return std::uniform_real_distribution<>(0, 1)(*generator); }},
      *std::move(client));
  watch->Start();
  return std::make_unique<kubernetes::KubernetesEnricher>(std::move(watch));
}

}  // namespace sockflow
