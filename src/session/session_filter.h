// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "absl/container/flat_hash_set.h"
#include "sockflow/session.h"

namespace sockflow {

// Which sessions are exported. A session passes all of its moments or none: every rule looks only at
// what does not change between start and end.
struct SessionFilter {
  // The initiator's address.
  std::optional<IpAddress> source_host;
  // The local socket's address, one of an interface's; nullopt: any.
  std::optional<absl::flat_hash_set<IpAddress>> local_addresses;

  bool Keeps(const Session& session) const;
};

}  // namespace sockflow
