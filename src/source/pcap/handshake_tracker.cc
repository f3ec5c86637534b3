// SPDX-License-Identifier: MIT
#include "source/pcap/handshake_tracker.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

namespace sockflow::pcap {
namespace {

using Class = Connection::Class;

// How long the last acknowledgments may take to come: a few retransmissions of FIN.
constexpr Duration kLastAckTime = std::chrono::seconds(2);
// How long segments of a session that is over are still expected.
constexpr Duration kEndedTime = std::chrono::seconds(10);
// Sessions that are over, and strangers, that are remembered at most.
constexpr size_t kMaxRemembered = 16'384;

// Damaged captures have any time in them.
Time Later(Time at, Duration duration) {
  return at > Time::max() - duration ? Time::max() : at + duration;
}

}  // namespace

HandshakeTracker::HandshakeTracker(Options options) : options_(std::move(options)) {}

HandshakeTracker::Entry HandshakeTracker::Insert(const Endpoint& initiator,
                                                 const Endpoint& responder) {
  Connections& list = lists_[Class::kUnanswered];
  if (unused_.empty()) {
    list.emplace_back();
  } else {
    list.splice(list.end(), unused_, unused_.begin());
    list.back() = Connection();
  }
  const Entry entry = std::prev(list.end());
  entry->tuple = Tuple(initiator, responder);
  entry->self = initiator == responder;
  entry->initiator_is_low = entry->tuple.low == initiator;
  ++open_;
  table_.insert(entry);
  return entry;
}

// One of ours: with a number, and room made for it.
HandshakeTracker::Entry HandshakeTracker::InsertSession(const Endpoint& initiator,
                                                        const Endpoint& responder, Ends ends, Time at,
                                                        Emit emit) {
  if (open_ >= std::max<size_t>(options_.max_sessions, 1)) EvictOldest(at, emit);
  const Entry entry = Insert(initiator, responder);
  ++stats_.sessions;
  entry->number = next_number_++;
  entry->times[kInitiator].started = at;
  // Of a socket that is connected to itself, there is one end.
  entry->observed = {ends.initiator || entry->self, ends.responder && !entry->self};
  return entry;
}

void HandshakeTracker::Adopt(const Endpoint& initiator, const Endpoint& responder, Time at, Emit emit) {
  if (table_.contains(Tuple(initiator, responder))) return;
  const Ends ends = options_.ends(initiator, responder);
  if (!ends.initiator && !ends.responder) return;
  const Entry entry = InsertSession(initiator, responder, ends, at, emit);
  entry->existing = entry->answered = entry->done = true;
  entry->times = {Connection::Times{at, at}, Connection::Times{at, at}};
  MoveTo(Class::kEstablished, entry, at);
  for (const Side side : {kInitiator, kResponder}) {
    if (entry->observed[side]) Announce(entry, side, at, emit);
  }
}

void HandshakeTracker::MoveTo(Class wait, Entry entry, Time now) {
  Connections& list = lists_[wait];
  list.splice(list.end(), lists_[entry->wait], entry);
  if (entry->wait < Connection::kOpenClasses && wait >= Connection::kOpenClasses) --open_;
  entry->wait = wait;
  const Duration timeout = TimeoutOf(wait);
  entry->deadline = timeout == Duration::max() ? Time::max() : Later(now, timeout);
}

void HandshakeTracker::Remember(Class memory, Entry entry, Time now) {
  MoveTo(memory, entry, now);
  if (lists_[memory].size() > std::min(kMaxRemembered, options_.max_sessions)) {
    Forget(lists_[memory].begin());
  }
}

void HandshakeTracker::Forget(Entry entry) {
  table_.erase(entry);
  unused_.splice(unused_.end(), lists_[entry->wait], entry);
}

void HandshakeTracker::EvictOldest(Time now, Emit emit) {
  for (Connections& list : std::span(lists_).first<Connection::kOpenClasses>()) {
    if (list.empty()) continue;
    const Entry oldest = list.begin();
    if (oldest->wait == Class::kLastAck) return EndOrderly(oldest, emit);
    ++stats_.evicted;
    return End(oldest, {Ending::kNotSeen}, now, emit);
  }
}

Duration HandshakeTracker::TimeoutOf(Class wait) const {
  switch (wait) {
    case Class::kLastAck: return kLastAckTime;
    case Class::kUnanswered:
    case Class::kHandshake: return options_.unanswered_timeout;
    case Class::kHalfClosed: return options_.half_closed_timeout;
    case Class::kEstablished:
      // Where nothing of a session is seen but its start and end, silence says nothing.
      if (!options_.every_segment && !options_.still_open) return Duration::max();
      return options_.idle_timeout;
    case Class::kEnded: return kEndedTime;
    default: return options_.half_closed_timeout;
  }
}

bool HandshakeTracker::IsStillOpen(const Connection& connection) const {
  for (const Side side : {kInitiator, kResponder}) {
    // An end that is not announced is no socket yet, or never will be.
    const bool asked = connection.announced[side] ||
                       (connection.observed[side] && connection.wait == Class::kHandshake);
    if (asked && options_.still_open(connection.endpoint(side), connection.endpoint(Other(side)))) {
      return true;
    }
  }
  return false;
}

bool HandshakeTracker::IsProbablyDone(const Connection& connection) const {
  if (connection.wait != Class::kHandshake || options_.every_segment) return false;
  if (options_.still_open) return IsStillOpen(connection);
  // Its last segment is not captured. A responder that does not get it repeats its SYN+ACK within
  // seconds (RFC 6298 2.1).
  return !connection.flows[kResponder].syn_repeated;
}

void HandshakeTracker::Announce(Entry entry, Side side, Time at, Emit emit) {
  entry->announced[side] = true;
  SessionEvent event = entry->EventOf(side);
  event.kind = event.direction == Direction::kActive ? SessionEvent::Kind::kConnect
                                                     : SessionEvent::Kind::kEstablished;
  if (event.existing) event.kind = SessionEvent::Kind::kExisting;
  event.id = IdOf(*entry, side);
  event.at = std::max(at, event.started);
  event.announced = false;
  emit(event);
}

void HandshakeTracker::Complete(Entry entry, Time at, Time now, Emit emit) {
  if (entry->done) return;
  if (at == Time::min()) at = now;
  entry->done = entry->answered = true;
  Connection::Times& initiator = entry->times[kInitiator];
  Connection::Times& responder = entry->times[kResponder];
  if (initiator.established == Time::min()) initiator.established = std::max(at, initiator.started);
  if (!entry->simultaneous) responder.started = std::max(at, initiator.established);
  if (responder.established == Time::min()) responder.established = std::max(at, responder.started);
  MoveTo(Class::kEstablished, entry, now);
  if (!entry->observed[kResponder] || entry->simultaneous) return;
  unproven_.erase(entry->number);
  Announce(entry, kResponder, now, emit);
}

void HandshakeTracker::End(Entry entry, Ending ending, Time at, Emit emit) {
  unproven_.erase(entry->number);
  if (entry->wait == Class::kHandshake && options_.abandoned) {
    options_.abandoned(IdOf(*entry, kResponder));
  }
  for (const Side side : {kInitiator, kResponder}) {
    if (!entry->announced[side]) continue;
    SessionEvent event = entry->EventOf(side);
    event.kind = SessionEvent::Kind::kClose;
    event.id = IdOf(*entry, side);
    event.at = std::max(at, event.established.value_or(event.started));
    entry->AddEnd(event, side, ending, options_.every_segment);
    emit(event);
  }
  Remember(Class::kEnded, entry, at);
}

void HandshakeTracker::EndOrderly(Entry entry, Emit emit) {
  End(entry, {Ending::kFins}, entry->deadline - kLastAckTime, emit);
}

void HandshakeTracker::Established(SessionId responder, Time at, Emit emit) {
  if (responder < options_.first_id) return;
  const auto unproven = unproven_.find((responder - options_.first_id) / 2);
  if (unproven == unproven_.end() || IdOf(*unproven->second, kResponder) != responder) return;
  Complete(unproven->second, at, at, emit);
}

void HandshakeTracker::OnTimeout(Entry entry, Time now, Emit emit) {
  const Class wait = entry->wait;
  if (wait == Class::kLastAck) return EndOrderly(entry, emit);
  if (IsProbablyDone(*entry)) {
    return Complete(entry, entry->times[kInitiator].established, now, emit);
  }
  if (wait != Class::kHandshake && options_.still_open && IsStillOpen(*entry)) {
    return MoveTo(wait, entry, now);
  }
  bool no_answer = wait == Class::kUnanswered;
  if (wait == Class::kHandshake) {
    ++stats_.half_open;
    // Where the host says that the socket is gone, it may have ended unseen as well.
    no_answer = !options_.still_open || entry->flows[kResponder].syn_repeated;
  }
  End(entry, {no_answer ? Ending::kTimedOut : Ending::kNotSeen}, entry->deadline, emit);
}

void HandshakeTracker::Expire(Time now, Emit emit) {
  for (Connections& list : std::span(lists_).first<Connection::kOpenClasses>()) {
    // Each once: one that is still open comes back to the end of its list.
    for (size_t left = list.size(); left > 0 && list.front().deadline <= now; --left) {
      OnTimeout(list.begin(), now, emit);
    }
  }
}

Time HandshakeTracker::NextDeadline() const {
  Time next = Time::max();
  for (const Connections& list : std::span(lists_).first<Connection::kOpenClasses>()) {
    if (!list.empty()) next = std::min(next, list.front().deadline);
  }
  return next;
}

void HandshakeTracker::Finish(Time at, Emit emit) {
  std::vector<Entry> open;
  open.reserve(open_);
  for (Connections& list : std::span(lists_).first<Connection::kOpenClasses>()) {
    for (auto entry = list.begin(); entry != list.end(); ++entry) open.push_back(entry);
  }
  std::ranges::sort(open, {}, [](Entry entry) { return entry->number; });
  for (const Entry entry : open) {
    if (entry->wait == Class::kLastAck) {
      EndOrderly(entry, emit);
      continue;
    }
    if (IsProbablyDone(*entry)) {
      Complete(entry, entry->times[kInitiator].established, at, emit);
    } else if (entry->wait == Class::kHandshake) {
      ++stats_.half_open;
    }
    End(entry, {Ending::kCaptureEnded}, at, emit);
  }
}

}  // namespace sockflow::pcap
