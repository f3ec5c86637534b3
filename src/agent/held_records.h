// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "sockflow/enricher.h"
#include "sockflow/session.h"
#include "sockflow/time.h"

namespace sockflow {

// Sessions whose start waits a moment for facts (Enriched::kLater), with all records that came after it:
// those of one session leave in their order. Copies, since the session may be over meanwhile; what is chosen as
// the first is released holds for those that follow. Bounded; knows no clock.
class HeldRecords {
 public:
  using Moment = std::chrono::steady_clock::time_point;
  using Enrich = absl::FunctionRef<Enriched(Session&)>;
  // `gave_up`: the first record of a session that did not get what it waited for.
  using Release = absl::FunctionRef<void(Session&, SessionRecord::Kind, bool gave_up)>;

  struct Options {
    Duration wait = std::chrono::seconds(1);  // 0: nothing waits
    size_t max_records = 65'536;
  };

  explicit HeldRecords(Options options) : options_(options) {}

  bool empty() const { return sessions_.empty(); }
  size_t records() const { return records_; }
  // When Expire has something to do next; Moment::max() if never.
  Moment NextDeadline() const { return empty() ? Moment::max() : sessions_.front().deadline; }

  // A record as the pipeline makes it, and what was said as it was enriched: it is released at once, unless
  // it has to wait. Only a start begins to wait: what follows it either waits behind it or comes too late
  // to matter.
  void Put(Session& session, SessionRecord::Kind kind, Enriched enriched, Moment now, Release release);

  // There may be news: releases those whose start has all its facts now.
  void Retry(Enrich enrich, Release release);
  // Releases those that have waited long enough; Moment::max(): all.
  void Expire(Moment now, Enrich enrich, Release release);

 private:
  struct Record {
    Session session;
    SessionRecord::Kind kind;
  };
  struct Held {
    Moment deadline;
    std::vector<Record> records;  // never empty
  };
  using Sessions = std::list<Held>;  // the oldest first

  // `start`: of its first record.
  Sessions::iterator ReleaseAll(Sessions::iterator held, Enriched start, Enrich enrich, Release release);

  Options options_;
  Sessions sessions_;
  absl::flat_hash_map<SessionId, Sessions::iterator> by_id_;
  size_t records_ = 0;
};

}  // namespace sockflow
