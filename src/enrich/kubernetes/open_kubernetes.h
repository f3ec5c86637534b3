// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sockflow/enricher.h"

namespace sockflow {

struct KubernetesOptions {
  bool from_kubelet = false;  // else from the API server
  std::string server;         // "https://HOST:PORT"
  std::string node_name;
  std::string token_file;  // empty: no token
  std::string ca_file;     // empty: the authorities that this host trusts
  std::vector<std::string> labels;
};

// Begins to watch the pods of a node. Trouble with the server is no error: it may come later.
// kUnimplemented: this program was built without it.
absl::StatusOr<std::unique_ptr<Enricher>> OpenKubernetes(const KubernetesOptions& options);

}  // namespace sockflow
