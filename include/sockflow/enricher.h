// SPDX-License-Identifier: MIT
#pragma once

#include "sockflow/session.h"

namespace sockflow {

// Adds facts to a session as it starts. Never blocks, never fails, never removes a fact: what it
// cannot find out stays empty.
class Enricher {
 public:
  virtual ~Enricher() = default;
  virtual void Enrich(Session& session) = 0;
};

}  // namespace sockflow
