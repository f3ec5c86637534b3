// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "absl/container/flat_hash_set.h"
#include "session/compiled_rules.h"
#include "sockflow/session.h"

namespace sockflow {

// Which sessions are exported.
struct SessionFilter {
  using Addresses = absl::flat_hash_set<IpAddress>;

  struct Interface {
    Addresses addresses;
    // All loopback addresses belong to it, whichever of them it lists (127.0.0.53 is lo's).
    bool is_loopback = false;
  };

  // The initiator's address is one of these; nullopt: any.
  std::optional<Addresses> sources;
  // The local socket's address is this interface's; nullopt: any.
  std::optional<Interface> interface;

  // Besides.
  CompiledRules rules;

  // kOpen: what the enrichers tell decides.
  Choice Choose(const Session& session, CompiledRules::Known known) const;
};

}  // namespace sockflow
