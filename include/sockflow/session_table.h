// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "sockflow/session.h"

namespace sockflow {

// Makes sessions of events: exactly one start and one end record for each, whatever the order in
// which a source's events arrive and whichever of them were lost. Bounded; knows no clock.
class SessionTable {
 public:
  using Emit = absl::FunctionRef<void(Session&, SessionRecord::Kind)>;

  struct Options {
    // Sessions open at the same time that are remembered; the one that was not heard of for longest is
    // forgotten first.
    size_t max_sessions = 262'144;
    // How long the start of a session waits for its owner: a passive one for the process that accepts
    // it, an active one if its source still looks for who connected.
    Duration owner_hold = std::chrono::milliseconds(250);
    // How long a session that ended in the accept queue waits to be accepted after all.
    Duration dead_accept_hold = std::chrono::seconds(2);
  };

  struct Stats {
    uint64_t starts = 0;           // start records emitted
    uint64_t updates = 0;          // update records emitted
    uint64_t ends = 0;             // end records emitted
    uint64_t repaired_starts = 0;  // starts made from the end event, the start event being lost
    uint64_t evicted = 0;          // forgotten because the table was full; their end still goes out
    uint64_t recounted = 0;        // evicted long ago: their end counts what earlier records told again
    uint64_t unseen_ends = 0;      // ends made by EndUnheard
    uint64_t late = 0;             // events of sessions that had ended already, dropped
  };

  explicit SessionTable(Options options);

  void Apply(const SessionEvent& event, Emit emit);

  // Emits what has waited long enough. Call at NextDeadline() or later.
  void Expire(Time now, Emit emit);
  // Ends the open sessions of which nothing was heard for two rounds (EventSource::rounds()): they are over,
  // and the event that said so was lost. They are told to have ended when they were last heard of.
  // Call at each new round.
  void EndUnheard(Time now, Emit emit);
  // When Expire has something to do next; Time::max() if never.
  Time NextDeadline() const;
  // Emits all that waits, whatever its age: the agent stops.
  void Flush(Emit emit);

  // One that is remembered; null: it is not. Until the table is called again.
  Session* Find(SessionId id);

  size_t size() const { return by_id_.size(); }
  const Stats& stats() const { return stats_; }

 private:
  // What a session waits for. Each entry is in the list of its state, first the one that was not heard of
  // for longest; the lists own the entries, and an entry moves between them without being copied.
  enum State {
    kAwaitingOwner,  // its start
    kDead,            // ended in the accept queue; start and end
    kGone,            // nothing: its records are out, an event that was overtaken may follow
    kOpen,
    kStates,
  };
  struct Entry {
    Session session;
    State state;
    Time deadline;
    uint64_t round;  // when it was heard of last
  };
  using Entries = std::list<Entry>;
  // What the records of an evicted session have told, for its end.
  struct Told {
    SessionId id;
    TcpFacts before;
    TcpFacts reported;
  };

  Entries::iterator Insert(const SessionEvent& event, State state, Emit emit);
  void MoveTo(State state, Entries::iterator entry);
  void Erase(Entries::iterator entry);
  void EvictOldest(Emit emit);
  // Keeps what the session's end has to know, as many as sessions.
  void KeepTold(const Session& session);
  // Takes it back into the session that is made of the end.
  void TakeTold(Session& session);
  void EmitStart(Session& session, Emit emit);
  void EmitEnd(Session& session, Emit emit);
  // Ends the wait of an entry that waits: with the record that it held back.
  void Release(Entries::iterator entry, Emit emit);
  void OnOwner(const SessionEvent& event, Emit emit);
  void OnUpdate(const SessionEvent& event, Emit emit);
  void OnClose(const SessionEvent& event, Emit emit);

  Options options_;
  Stats stats_;
  uint64_t round_ = 0;
  Entries entries_[kStates];
  absl::flat_hash_map<SessionId, Entries::iterator> by_id_;
  std::list<Told> told_;  // the oldest first
  absl::flat_hash_map<SessionId, std::list<Told>::iterator> told_by_id_;
};

}  // namespace sockflow
