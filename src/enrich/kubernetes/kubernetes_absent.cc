// SPDX-License-Identifier: MIT
#include "enrich/kubernetes/open_kubernetes.h"

namespace sockflow {

absl::StatusOr<std::unique_ptr<Enricher>> OpenKubernetes(const KubernetesOptions&) {
  return absl::UnimplementedError(
      "this sockflow was built without Kubernetes; set kubernetes.enabled to false, or build it with "
      "-DSOCKFLOW_KUBERNETES=ON (libcurl, nlohmann-json)");
}

}  // namespace sockflow
