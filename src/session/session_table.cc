// SPDX-License-Identifier: MIT
#include "sockflow/session_table.h"

#include <algorithm>
#include <iterator>

namespace sockflow {
namespace {

// Takes over what an event says. A fact that an event lacks leaves the one known before.
void Update(Session& session, const SessionEvent& event) {
  // Who accepted is the last word; else only a more certain owner corrects one, and the same one anew may
  // know more of itself.
  const bool better = event.kind == SessionEvent::Kind::kAccept ||
                      !MoreCertain(session.attribution, event.attribution);
  const bool final = session.attribution == Attribution::kCaller &&
                     event.kind != SessionEvent::Kind::kAccept;
  if (event.process && better && !final) {
    if (event.process != session.process) {
      session.process = event.process;
      session.ForgetEnrichment();
    }
    session.attribution = event.attribution;
  }
  if (event.established) session.established = event.established;
  if (event.socket_cookie != 0) session.socket_cookie = event.socket_cookie;
  // The same process: its source may know it better by now.
  if (event.process && session.process == event.process && session.process->detail == nullptr) {
    session.process->detail = event.process->detail;
  }
  if (event.kind == SessionEvent::Kind::kExisting || event.kind == SessionEvent::Kind::kUpdate ||
      event.kind == SessionEvent::Kind::kClose) {
    session.tcp = event.tcp;
  }
  if (event.kind == SessionEvent::Kind::kClose) {
    session.accepted = event.accepted;
    session.last_state = event.last_state;
    session.end_cause = event.end_cause;
    // The clock may have been set back meanwhile.
    session.ended = std::max(event.at, session.started);
  }
}

Session NewSession(const SessionEvent& event) {
  Session session{
      .id = event.id,
      .netns = event.netns,
      .direction = event.direction,
      .local = event.local,
      .remote = event.remote,
      .started = event.started,
      .existing = event.existing,
  };
  Update(session, event);
  // What it carried before anybody looked is not told as if it were of now.
  if (session.existing) session.reported = session.before = session.tcp;
  return session;
}

}  // namespace

SessionTable::SessionTable(Options options) : options_(options) {}

Session* SessionTable::Find(SessionId id) {
  const auto known = by_id_.find(id);
  return known == by_id_.end() ? nullptr : &known->second->session;
}

void SessionTable::EmitStart(Session& session, Emit emit) {
  ++stats_.starts;
  emit(session, SessionRecord::Kind::kStart);
}

void SessionTable::EmitEnd(Session& session, Emit emit) {
  ++stats_.ends;
  emit(session, SessionRecord::Kind::kEnd);
}

SessionTable::Entries::iterator SessionTable::Insert(const SessionEvent& event, State state,
                                                     Emit emit) {
  if (by_id_.size() >= options_.max_sessions) EvictOldest(emit);
  Entries& list = entries_[state];
  list.push_back(
      Entry{.session = NewSession(event), .state = state, .deadline = Time::max(), .round = round_});
  const auto entry = std::prev(list.end());
  by_id_[event.id] = entry;
  return entry;
}

void SessionTable::MoveTo(State state, Entries::iterator entry) {
  entries_[state].splice(entries_[state].end(), entries_[entry->state], entry);
  entry->state = state;
  entry->round = round_;
}

void SessionTable::Erase(Entries::iterator entry) {
  by_id_.erase(entry->session.id);
  entries_[entry->state].erase(entry);
}

void SessionTable::EvictOldest(Emit emit) {
  // A session that waits has a record to send and goes soon anyway: the open ones go first.
  for (State state : {kGone, kOpen, kAwaitingOwner, kDead}) {
    if (entries_[state].empty()) continue;
    const auto oldest = entries_[state].begin();
    if (state != kGone) ++stats_.evicted;
    // What waits for a name is open once it is released; what is over is erased then.
    if (state != kOpen) Release(oldest, emit);
    if (state == kOpen || state == kAwaitingOwner) {
      KeepTold(oldest->session);
      Erase(oldest);
    }
    return;
  }
}

void SessionTable::KeepTold(const Session& session) {
  // Most have told nothing yet.
  if (!session.existing && session.reported == TcpFacts{}) return;
  if (told_.size() >= options_.max_sessions) {
    ++stats_.recounted;
    told_by_id_.erase(told_.front().id);
    told_.pop_front();
  }
  told_by_id_[session.id] =
      told_.insert(told_.end(), {.id = session.id, .before = session.before, .reported = session.reported});
}

void SessionTable::TakeTold(Session& session) {
  const auto known = told_by_id_.find(session.id);
  if (known == told_by_id_.end()) return;
  session.before = known->second->before;
  session.reported = known->second->reported;
  told_.erase(known->second);
  told_by_id_.erase(known);
}

void SessionTable::Release(Entries::iterator entry, Emit emit) {
  if (entry->state != kGone) EmitStart(entry->session, emit);
  if (entry->state == kAwaitingOwner) return MoveTo(kOpen, entry);
  if (entry->state == kDead) EmitEnd(entry->session, emit);
  Erase(entry);
}

void SessionTable::Apply(const SessionEvent& event, Emit emit) {
  const auto known = by_id_.find(event.id);
  switch (event.kind) {
    case SessionEvent::Kind::kConnect:
      if (known != by_id_.end()) return;
      if (event.process || !event.owner_may_follow) {
        EmitStart(Insert(event, kOpen, emit)->session, emit);
        return;
      }
      [[fallthrough]];
    case SessionEvent::Kind::kEstablished:
      if (known == by_id_.end()) {
        Insert(event, kAwaitingOwner, emit)->deadline = event.at + options_.owner_hold;
      }
      return;
    case SessionEvent::Kind::kExisting:
      if (known == by_id_.end()) EmitStart(Insert(event, kOpen, emit)->session, emit);
      return;
    case SessionEvent::Kind::kUpdate: return OnUpdate(event, emit);
    case SessionEvent::Kind::kAccept:
    case SessionEvent::Kind::kOwner: return OnOwner(event, emit);
    case SessionEvent::Kind::kClose: return OnClose(event, emit);
  }
}

void SessionTable::OnOwner(const SessionEvent& event, Emit emit) {
  const auto known = by_id_.find(event.id);
  if (known == by_id_.end()) {
    // What owns nothing that is known makes no session.
    if (event.already_closed || event.kind == SessionEvent::Kind::kOwner) {
      // Its records went out without an owner when its wait was over.
      ++stats_.late;
      return;
    }
    EmitStart(Insert(event, kOpen, emit)->session, emit);
    return;
  }
  const auto entry = known->second;
  if (entry->state == kGone) {
    ++stats_.late;
    return;
  }
  Update(entry->session, event);
  entry->session.accepted = true;
  if (entry->state != kOpen) Release(entry, emit);
}

void SessionTable::OnUpdate(const SessionEvent& event, Emit emit) {
  const auto known = by_id_.find(event.id);
  // What is over has told its counters; what was forgotten will.
  if (known == by_id_.end() || known->second->state == kDead || known->second->state == kGone) return;
  const auto entry = known->second;
  Update(entry->session, event);
  if (entry->state == kAwaitingOwner) Release(entry, emit);
  entry->session.ended = std::max(event.at, entry->session.started);
  ++stats_.updates;
  emit(entry->session, SessionRecord::Kind::kUpdate);
  entry->session.reported = entry->session.tcp;
  MoveTo(kOpen, entry);
}

void SessionTable::OnClose(const SessionEvent& event, Emit emit) {
  const auto known = by_id_.find(event.id);
  if (known == by_id_.end()) {
    if (event.may_be_accepted) {
      Insert(event, kDead, emit)->deadline = event.at + options_.dead_accept_hold;
      return;
    }
    Session session = NewSession(event);
    TakeTold(session);
    // Announced but unknown: evicted, and its start is out. Otherwise the start was lost on the way,
    // unless the session never had one (never accepted, or a connect that failed before its source
    // told of it).
    if (!event.announced) {
      if (event.accepted && event.established && !event.existing) ++stats_.repaired_starts;
      EmitStart(session, emit);
    }
    EmitEnd(session, emit);
    // accept() and the end can meet on two CPUs, and the end get through first.
    if (!event.announced && event.accepted && event.direction == Direction::kPassive) {
      Insert(event, kGone, emit)->deadline = event.at + options_.dead_accept_hold;
    }
    return;
  }
  const auto entry = known->second;
  if (entry->state == kDead || entry->state == kGone) {
    ++stats_.late;
    return;
  }
  Update(entry->session, event);
  if (entry->state == kAwaitingOwner) EmitStart(entry->session, emit);
  EmitEnd(entry->session, emit);
  Erase(entry);
}

void SessionTable::Expire(Time now, Emit emit) {
  for (State state : {kAwaitingOwner, kDead, kGone}) {
    Entries& list = entries_[state];
    while (!list.empty() && list.front().deadline <= now) Release(list.begin(), emit);
  }
}

void SessionTable::EndUnheard(Time now, Emit emit) {
  ++round_;
  Entries& open = entries_[kOpen];
  // One round more than what the source tells of would take: what tells the end may be on its way.
  while (!open.empty() && open.front().round + 2 < round_) {
    const auto entry = open.begin();
    Session& session = entry->session;
    session.end_cause = EndCause::kNotSeen;
    session.ended = std::max(session.started, session.ended);
    ++stats_.unseen_ends;
    EmitEnd(session, emit);
    // Should it end once more, that is no second end.
    entry->deadline = now + options_.dead_accept_hold;
    MoveTo(kGone, entry);
  }
}

Time SessionTable::NextDeadline() const {
  Time next = Time::max();
  for (State state : {kAwaitingOwner, kDead, kGone}) {
    if (!entries_[state].empty()) next = std::min(next, entries_[state].front().deadline);
  }
  return next;
}

void SessionTable::Flush(Emit emit) { Expire(Time::max(), emit); }

}  // namespace sockflow
