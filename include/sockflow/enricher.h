// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "sockflow/loss_counter.h"
#include "sockflow/session.h"

namespace sockflow {

enum class Enriched : uint8_t {
  kDone,   // all that can be found out is in the session
  kLater,  // more may be known soon: it is worth a short wait
};

struct CacheStats {
  std::string_view name;  // "processes", ...
  uint64_t entries = 0;
  uint64_t hits = 0;
  uint64_t misses = 0;
};

// Adds facts to a session as it starts. Never blocks, never fails, never removes a fact: what it
// cannot find out stays empty.
class Enricher {
 public:
  virtual ~Enricher() = default;
  virtual Enriched Enrich(Session& session) = 0;

  // Grows when it is worth asking again for sessions that got kLater.
  virtual uint64_t news() const { return 0; }
  // The session got kLater, and goes out as it is: nobody waits any longer.
  virtual void GaveUp(const Session& /*session*/) {}
  // What it could not find out, always the same reasons in the same order.
  virtual std::vector<LossCounter> missing() const { return {}; }
  // What it remembers, so as not to ask twice.
  virtual std::vector<CacheStats> caches() const { return {}; }
};

}  // namespace sockflow
