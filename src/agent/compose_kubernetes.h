// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "enrich/kubernetes/open_kubernetes.h"
#include "sockflow/config.h"
#include "sockflow/enricher.h"

namespace sockflow {

// The value of an environment variable; empty: it is not set.
using Environment = std::function<std::string(const std::string& name)>;

// What the configuration leaves open, from the environment that Kubernetes gives to a container.
// `host_name`: this host's. kInvalidArgument: we run in no cluster, and it was not told where one is.
absl::StatusOr<KubernetesOptions> KubernetesOptionsOf(const Config::Kubernetes& config,
                                                      const Environment& environment,
                                                      const std::string& host_name);

// The enricher that the configuration asks for. Errors name the key.
absl::StatusOr<std::unique_ptr<Enricher>> ComposeKubernetes(const Config::Kubernetes& config);

}  // namespace sockflow
