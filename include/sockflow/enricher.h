// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "sockflow/loss_counter.h"
#include "sockflow/session.h"

namespace sockflow {

// Adds facts to a session as it starts. Never blocks, never fails, never removes a fact: what it
// cannot find out stays empty.
class Enricher {
 public:
  virtual ~Enricher() = default;
  virtual void Enrich(Session& session) = 0;
  // What it could not find out, always the same reasons in the same order.
  virtual std::vector<LossCounter> losses() const { return {}; }
};

}  // namespace sockflow
