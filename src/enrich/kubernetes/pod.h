// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sockflow/ip_address.h"
#include "sockflow/session.h"
#include "sockflow/time.h"

namespace sockflow::kubernetes {

// What is kept of a pod object.
struct Pod {
  std::string uid;
  // Under which a static pod runs: its uid in the API is of its mirror alone, while its cgroup is named
  // by the hash of its manifest (annotation kubernetes.io/config.hash). Empty: there is none.
  std::string static_uid;
  std::shared_ptr<const PodFacts> facts;  // never null
  std::vector<IpAddress> addresses;       // its own: none in the host's network
  std::vector<std::string> container_ids;  // without the runtime: those that run, and those before
  Time started{};                          // by the clock of its node; 0: not known
  bool finished = false;                   // all its containers have ended, for good
};

}  // namespace sockflow::kubernetes
