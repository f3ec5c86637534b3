// SPDX-License-Identifier: MIT
#pragma once

#include "enrich/process/executables.h"
#include "enrich/process/user_names.h"
#include "sockflow/enricher.h"

namespace sockflow {

// What the kernel half cannot say of a process in the space of an event: user name and executable.
class ProcessEnricher final : public Enricher {
 public:
  void Enrich(Session& session) override;

 private:
  UserNames user_names_;
  Executables executables_;
};

}  // namespace sockflow
