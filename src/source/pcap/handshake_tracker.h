// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/hash/hash.h"
#include "sockflow/session_event.h"
#include "source/pcap/connection.h"
#include "source/pcap/tcp_segment.h"

namespace sockflow::pcap {

// Makes session events of TCP segments: for each end of a session that is observed one start
// (kConnect for the initiator, kEstablished for the responder) and one kClose. Needs only segments
// with SYN, FIN or RST; others, if they are given, make counters exact. Bounded; knows no clock, no
// host and no owner. The measure is what the kernel's own sockets would say:
//
// - Simultaneous open is one session whose ends are both active. A socket that is connected to
//   itself has one end, active; it sends what it receives.
// - Who sends FIN and then RST closed in order; its peer was reset. FINs that cross are a local
//   close on both ends. With `every_segment` the acknowledgments that follow the second FIN are
//   counted.
// - A SYN with another sequence number than that of an open session begins a new one, on either
//   side: the old one ends as kNotSeen.
// - Without `every_segment` almost any sequence number is possible, since gigabytes may have passed
//   unseen: every FIN and RST between the endpoints of a session is believed. With it they have to
//   be within 2^30 of what was seen.
// - Times may run backwards: nothing ends before it started. A clock that was set back makes
//   sessions time out later.
class HandshakeTracker {
 public:
  using Emit = absl::FunctionRef<void(const SessionEvent&)>;

  // Which ends of a session become sessions of ours.
  struct Ends {
    bool initiator = false;
    bool responder = false;
  };

  struct Options {
    size_t max_sessions = 262'144;
    // All segments are given, not only those with SYN, FIN or RST: packets are counted, and a
    // session without any for idle_timeout is over.
    bool every_segment = false;
    // The first of two ids that a session takes (its initiator's end, then its responder's).
    SessionId first_id = 1;
    // By the addresses of a new session, initiator first.
    std::function<Ends(const Endpoint& initiator, const Endpoint& responder)> ends;
    // Whether the host still has this socket, asked when a timeout below says that it should be
    // over: true keeps the session for another such time. Empty: nobody knows.
    std::function<bool(const Endpoint& local, const Endpoint& remote)> still_open;
    // An observed responder has answered the SYN: its end may become a session. Told of it are id,
    // direction, endpoints and the time. Empty: nobody wants to know.
    std::function<void(const SessionEvent& responder)> answered;
    // ... and it did not: no event of this id comes.
    std::function<void(SessionId)> abandoned;
    // A SYN without an answer; or a SYN+ACK for which nothing shows that it was acknowledged, where
    // the responder is observed. Without `every_segment` and `still_open` the latter is taken for
    // done then if it was not repeated: its responder got the acknowledgment that is not captured.
    Duration unanswered_timeout = std::chrono::seconds(130);
    Duration half_closed_timeout = std::chrono::seconds(120);  // one FIN, and then nothing
    // Established. Without `every_segment` only if there is still_open: silence says nothing.
    Duration idle_timeout = std::chrono::hours(1);
  };

  struct Stats {
    uint64_t segments = 0;
    uint64_t sessions = 0;         // begun
    uint64_t unknown_session = 0;  // began before the capture: counted once each, not told
    uint64_t half_open = 0;        // answered by SYN+ACK and never finished (SYN scans and floods)
    uint64_t evicted = 0;          // closed as kNotSeen because the table was full
    uint64_t not_ours = 0;         // sessions with no end that is observed
  };

  explicit HandshakeTracker(Options options);

  // Here and below `emit` must not call the tracker.
  void Apply(const TcpSegment& segment, Emit emit);

  // A session that the host had open when the capture began, if no segment has told of it. Its payload
  // counts from the first segment on that is seen.
  void Adopt(const Endpoint& initiator, const Endpoint& responder, Time at, Emit emit);

  // The handshake of this session's responder is done: told by the host before a segment shows it.
  void Established(SessionId responder, Time at, Emit emit);

  // Ends what timed out, at the time when it did. Call at NextDeadline() or later.
  void Expire(Time now, Emit emit);
  Time NextDeadline() const;  // Time::max(): never

  // The capture is over: all that is open ends at `at` as kCaptureEnded.
  void Finish(Time at, Emit emit);

  // Connections that are open: with both ends observed, one is two sessions.
  size_t size() const { return open_; }
  const Stats& stats() const { return stats_; }

 private:
  using Connections = std::list<Connection>;
  using Entry = Connections::iterator;
  struct TupleHash {
    using is_transparent = void;
    size_t operator()(const Tuple& tuple) const { return absl::HashOf(tuple); }
    size_t operator()(Entry entry) const { return absl::HashOf(entry->tuple); }
  };
  struct TupleEq {
    using is_transparent = void;
    bool operator()(Entry one, Entry other) const { return one == other; }
    bool operator()(const Tuple& tuple, Entry entry) const { return tuple == entry->tuple; }
    bool operator()(Entry entry, const Tuple& tuple) const { return tuple == entry->tuple; }
  };

  // The table and its times (handshake_tracker.cc).
  Entry Insert(const Endpoint& initiator, const Endpoint& responder);
  Entry InsertSession(const Endpoint& initiator, const Endpoint& responder, Ends ends, Time at, Emit emit);
  void MoveTo(Connection::Class wait, Entry entry, Time now);
  void Remember(Connection::Class memory, Entry entry, Time now);
  void Forget(Entry entry);
  void EvictOldest(Time now, Emit emit);
  Duration TimeoutOf(Connection::Class wait) const;
  void OnTimeout(Entry entry, Time now, Emit emit);
  bool IsStillOpen(const Connection& connection) const;
  // Whether a handshake whose end nobody saw is taken for done.
  bool IsProbablyDone(const Connection& connection) const;
  void Announce(Entry entry, Side side, Time at, Emit emit);
  // The handshake is done: at `at` (Time::min(): nobody knows when), told now.
  void Complete(Entry entry, Time at, Time now, Emit emit);
  void End(Entry entry, Ending ending, Time at, Emit emit);
  // Of a connection in kLastAck, at the time of its second FIN.
  void EndOrderly(Entry entry, Emit emit);
  SessionId IdOf(const Connection& connection, Side side) const {
    return options_.first_id + 2 * connection.number + side;
  }

  // What each segment means (apply_segment.cc).
  Entry Begin(const TcpSegment& segment, Emit emit);
  void OnStray(const TcpSegment& segment);
  void OnKnown(Entry entry, const TcpSegment& segment, Emit emit);
  void OnSyn(Entry entry, Side from, bool counted, const TcpSegment& segment, Emit emit);
  void OnSynAck(Entry entry, Side from, bool counted, const TcpSegment& segment, Emit emit);
  void OnReset(Entry entry, Side from, const TcpSegment& segment, Emit emit);
  void OnOther(Entry entry, Side from, bool counted, const TcpSegment& segment, Emit emit);
  // The responder sent a SYN of its own.
  void OpenSimultaneously(Entry entry, uint32_t first, Time at, Emit emit);

  Options options_;
  Stats stats_;
  uint64_t next_number_ = 0;
  size_t open_ = 0;
  // One list for each class, the earliest deadline first; an entry moves between them without being
  // copied. The nodes of those that are gone are used again.
  std::array<Connections, Connection::kClasses> lists_;
  Connections unused_;
  absl::flat_hash_set<Entry, TupleHash, TupleEq> table_;
  // By number, those whose responder's end is not announced yet, for Established().
  absl::flat_hash_map<uint64_t, Entry> unproven_;
};

}  // namespace sockflow::pcap
