// SPDX-License-Identifier: MIT
#include "agent/held_records.h"

namespace sockflow {

void HeldRecords::Put(Session& session, SessionRecord::Kind kind, Enriched enriched, Moment now,
                      Release release) {
  const auto known = by_id_.find(session.id);
  const bool full = records_ >= options_.max_records;
  if (known != by_id_.end()) {
    known->second->records.push_back({session, kind});
    ++records_;
    if (full) ReleaseAll(known->second, Enriched::kLater, [](Session&) { return Enriched::kLater; }, release);
    return;
  }
  if (enriched == Enriched::kLater && kind == SessionRecord::Kind::kStart) {
    if (!full && options_.wait > Duration::zero()) {
      by_id_[session.id] =
          sessions_.insert(sessions_.end(), {.deadline = now + options_.wait, .records = {{session, kind}}});
      ++records_;
      return;
    }
    release(session, kind, /*gave_up=*/true);
    return;
  }
  release(session, kind, /*gave_up=*/false);
}

HeldRecords::Sessions::iterator HeldRecords::ReleaseAll(Sessions::iterator held, Enriched start,
                                                        Enrich enrich, Release release) {
  // Out of the list first: whatever release does, it meets a sound one.
  std::vector<Record> records = std::move(held->records);
  by_id_.erase(records.front().session.id);
  records_ -= records.size();
  const auto next = sessions_.erase(held);
  bool is_first = true;
  for (Record& record : records) {
    if (!is_first) {
      enrich(record.session);
      record.session.choice = records.front().session.choice;
    }
    release(record.session, record.kind, is_first && start == Enriched::kLater);
    is_first = false;
  }
  return next;
}

void HeldRecords::Retry(Enrich enrich, Release release) {
  for (auto held = sessions_.begin(); held != sessions_.end();) {
    const Enriched start = enrich(held->records.front().session);
    if (start == Enriched::kDone) {
      held = ReleaseAll(held, start, enrich, release);
    } else {
      ++held;
    }
  }
}

void HeldRecords::Expire(Moment now, Enrich enrich, Release release) {
  while (!empty() && NextDeadline() <= now) {
    const auto held = sessions_.begin();
    const Enriched start = enrich(held->records.front().session);
    ReleaseAll(held, start, enrich, release);
  }
}

}  // namespace sockflow
