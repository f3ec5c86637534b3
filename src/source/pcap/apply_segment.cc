// SPDX-License-Identifier: MIT
// What a segment means for the session that it belongs to.
#include <algorithm>

#include "source/pcap/handshake_tracker.h"

namespace sockflow::pcap {
namespace {

using Class = Connection::Class;

bool Has(const TcpSegment& segment, uint8_t flag) { return (segment.flags & flag) != 0; }
bool IsSynOnly(const TcpSegment& segment) { return Has(segment, kSyn) && !Has(segment, kAck); }

// The sequence number after the payload.
uint32_t EndOf(const TcpSegment& segment) {
  return segment.sequence + (Has(segment, kSyn) ? 1 : 0) + segment.payload_octets;
}

// What no socket takes, whatever its state (RFC 9293 3.10.7): SYN with FIN or RST, and all without
// ACK that has neither SYN nor RST. Scanners send them.
bool IsNonsense(const TcpSegment& segment) {
  if (Has(segment, kSyn)) return Has(segment, kFin | kRst);
  return !Has(segment, kRst | kAck);
}

// Whether the segment acknowledges the SYN that began the session, and no payload but that of
// the SYN.
bool AnswersSyn(const Connection& connection, const TcpSegment& segment) {
  return Has(segment, kAck) &&
         segment.acknowledgment - connection.flows[kInitiator].first <= connection.syn_payload;
}

// Whether a SYN belongs to another session between the endpoints of one that is known.
bool BeginsAnother(const Connection& connection, Side from, const TcpSegment& segment) {
  const Flow& flow = connection.flows[from];
  if (flow.known) return segment.sequence + 1 != flow.first;
  // From the responder: simultaneous open, if nothing says that the responder was further already.
  return connection.answered;
}

// Whether the segment begins a session although its endpoints are in memory.
bool BeginsAgain(const Connection& memory, const TcpSegment& segment) {
  if (!Has(segment, kSyn)) return false;
  const Flow& flow = memory.flows[memory.SideOf(segment.source)];
  if (flow.known && segment.sequence + 1 == flow.first) return false;
  if (IsSynOnly(segment)) return true;
  return !(memory.flows[kInitiator].known && AnswersSyn(memory, segment));
}

}  // namespace

void HandshakeTracker::Apply(const TcpSegment& segment, Emit emit) {
  ++stats_.segments;
  if (IsNonsense(segment)) return;
  const auto found = table_.find(Tuple(segment.source, segment.destination));
  if (found == table_.end()) {
    if (!Has(segment, kSyn)) return OnStray(segment);
  } else {
    const Entry entry = *found;
    if (entry->wait < Connection::kOpenClasses) return OnKnown(entry, segment, emit);
    const bool expired = entry->deadline <= segment.at;
    if (!expired && !BeginsAgain(*entry, segment)) {
      if (entry->wait == Class::kStranger) MoveTo(Class::kStranger, entry, segment.at);
      return;
    }
    Forget(entry);
    if (!Has(segment, kSyn)) return OnStray(segment);
  }
  const Entry entry = Begin(segment, emit);
  if (entry->wait < Connection::kOpenClasses) OnKnown(entry, segment, emit);
}

void HandshakeTracker::OnStray(const TcpSegment& segment) {
  // A lone acknowledgment is as well a late one of a session that is forgotten.
  if (!Has(segment, kFin | kRst) && segment.payload_octets == 0) return;
  const Ends ends = options_.ends(segment.source, segment.destination);
  if (!ends.initiator && !ends.responder) return;
  ++stats_.unknown_session;
  Remember(Class::kStranger, Insert(segment.source, segment.destination), segment.at);
}

HandshakeTracker::Entry HandshakeTracker::Begin(const TcpSegment& segment, Emit emit) {
  const bool syn_only = IsSynOnly(segment);
  const Endpoint& initiator = syn_only ? segment.source : segment.destination;
  const Endpoint& responder = syn_only ? segment.destination : segment.source;
  const Ends ends = options_.ends(initiator, responder);
  const bool ours = ends.initiator || ends.responder;
  const Entry entry = ours ? InsertSession(initiator, responder, ends, segment.at, emit)
                           : Insert(initiator, responder);
  entry->flows[kInitiator].BeginAt(syn_only ? segment.sequence + 1 : segment.acknowledgment);
  if (syn_only) entry->syn_payload = segment.payload_octets;
  if (!ours) {
    ++stats_.not_ours;
    Remember(Class::kStranger, entry, segment.at);
    return entry;
  }
  MoveTo(Class::kUnanswered, entry, segment.at);
  if (entry->observed[kResponder]) unproven_.emplace(entry->number, entry);
  if (entry->observed[kInitiator]) Announce(entry, kInitiator, segment.at, emit);
  return entry;
}

void HandshakeTracker::OnKnown(Entry entry, const TcpSegment& segment, Emit emit) {
  const Side from = entry->SideOf(segment.source);
  if (IsSynOnly(segment) && BeginsAnother(*entry, from, segment)) {
    if (entry->wait == Class::kHandshake) ++stats_.half_open;
    if (entry->wait == Class::kLastAck) {
      EndOrderly(entry, emit);
    } else {
      End(entry, {Ending::kNotSeen}, segment.at, emit);
    }
    const auto ended = table_.find(Tuple(segment.source, segment.destination));
    if (ended != table_.end()) Forget(*ended);
    const Entry next = Begin(segment, emit);
    if (next->wait < Connection::kOpenClasses) OnKnown(next, segment, emit);
    return;
  }
  Flow& flow = entry->flows[from];
  if (!flow.seen) {
    flow.seen = true;
    flow.interface = segment.interface;
  }
  const bool counted = flow.interface == segment.interface;
  if (counted && options_.every_segment) ++flow.packets;
  entry->NoteHeader(segment);
  if (IsSynOnly(segment)) return OnSyn(entry, from, counted, segment, emit);
  if (Has(segment, kSyn)) return OnSynAck(entry, from, counted, segment, emit);
  if (Has(segment, kRst)) return OnReset(entry, from, segment, emit);
  OnOther(entry, from, counted, segment, emit);
}

void HandshakeTracker::OnSyn(Entry entry, Side from, bool counted, const TcpSegment& segment,
                             Emit emit) {
  Flow& flow = entry->flows[from];
  if (!flow.known) OpenSimultaneously(entry, segment.sequence + 1, segment.at, emit);
  if (flow.syn && counted) {
    flow.syn_repeated = true;
    ++flow.retransmitted;
  }
  flow.syn = true;
}

void HandshakeTracker::OpenSimultaneously(Entry entry, uint32_t first, Time at, Emit emit) {
  // To the kernel both are active: tcp_connect() was called on both.
  entry->simultaneous = true;
  entry->flows[kResponder].BeginAt(first);
  entry->times[kResponder].started = std::max(at, entry->times[kInitiator].started);
  unproven_.erase(entry->number);
  if (entry->observed[kResponder]) Announce(entry, kResponder, at, emit);
}

void HandshakeTracker::OnSynAck(Entry entry, Side from, bool counted, const TcpSegment& segment,
                                Emit emit) {
  Flow& flow = entry->flows[from];
  const Side to = entry->PeerOf(from);
  if (from == kInitiator && !entry->self) {
    // Only in a simultaneous open, of which the other SYN may have been lost.
    if (segment.sequence + 1 != flow.first) return;
    if (!entry->simultaneous) {
      if (entry->answered) return;
      OpenSimultaneously(entry, segment.acknowledgment, segment.at, emit);
    }
  } else {
    if (!AnswersSyn(*entry, segment)) return;
    if (!flow.known) flow.BeginAt(segment.sequence + 1);
    if (segment.sequence + 1 != flow.first) return;
  }
  if (!entry->simultaneous && !entry->self) {
    if (flow.syn && counted) {
      flow.syn_repeated = true;
      ++flow.retransmitted;
    }
    flow.syn = true;
  }
  entry->answered = true;
  entry->flows[to].Acknowledge(segment.acknowledgment, options_.every_segment);
  flow.Reach(EndOf(segment), options_.every_segment);
  Connection::Times& times = entry->times[to];
  if (times.established == Time::min()) times.established = std::max(segment.at, times.started);
  if (entry->wait != Class::kUnanswered) return;
  if (entry->simultaneous || entry->self) {
    entry->done = true;
    MoveTo(Class::kEstablished, entry, segment.at);
  } else {
    // To the initiator alone its session is established.
    const bool open = !entry->observed[kResponder];
    MoveTo(open ? Class::kEstablished : Class::kHandshake, entry, segment.at);
    if (!open && options_.answered) {
      SessionEvent responder = entry->EventOf(kResponder);
      responder.id = IdOf(*entry, kResponder);
      responder.at = segment.at;
      options_.answered(responder);
    }
  }
}

void HandshakeTracker::OnReset(Entry entry, Side from, const TcpSegment& segment, Emit emit) {
  if (entry->wait == Class::kLastAck) return EndOrderly(entry, emit);
  const bool dense = options_.every_segment;
  Flow& flow = entry->flows[from];
  const Side to = entry->PeerOf(from);
  // Of an older session, of which the responder still had a socket: the SYN will be sent again
  // (RFC 9293 3.5.1, figure 9). What aborts this session has ACK.
  if (!entry->answered && from == kInitiator && !Has(segment, kAck) &&
      segment.sequence - flow.first > entry->syn_payload) {
    return;
  }
  if (!entry->answered && from == kResponder) {
    if (!Has(segment, kAck)) return;
    if (AnswersSyn(*entry, segment)) {
      return End(entry, {Ending::kRefused, from}, segment.at, emit);
    }
    // Acknowledges what was never sent; or the SYN+ACK was not seen.
    if (!entry->flows[to].IsPlausible(segment.acknowledgment, false)) return;
  }
  const bool plausible = flow.IsPlausible(segment.sequence, dense);
  if (dense && !plausible && (entry->done || segment.sequence != 0)) return;
  const bool further = flow.known && segment.sequence != flow.first;
  // With number 0 and ACK it answers a segment without ACK (RFC 9293 3.10.7.1).
  if (!entry->done && (!plausible || segment.sequence == 0 || !(further || Has(segment, kAck)))) {
    // It answers what no socket took, with the number that was acknowledged there: the responder
    // has no socket yet, and the initiator, if it is the sender, none any more.
    ++stats_.half_open;
    if (from == kInitiator) entry->times[kInitiator].established = Time::min();
    return End(entry, {Ending::kReset, from}, segment.at, emit);
  }
  Complete(entry, entry->times[kInitiator].established, segment.at, emit);
  if (segment.sequence != 0) flow.Reach(segment.sequence, dense);
  if (Has(segment, kAck)) entry->flows[to].Acknowledge(segment.acknowledgment, dense);
  End(entry, {Ending::kReset, from}, segment.at, emit);
}

void HandshakeTracker::OnOther(Entry entry, Side from, bool counted, const TcpSegment& segment,
                               Emit emit) {
  const bool dense = options_.every_segment;
  const bool fin = Has(segment, kFin);
  const Side to = entry->PeerOf(from);
  Flow& flow = entry->flows[from];
  Flow& other = entry->flows[to];
  if (fin && dense && !flow.IsPlausible(segment.sequence, true)) return;
  // Of the answer to another SYN.
  if (!entry->done && !other.IsPlausible(segment.acknowledgment, false)) return;
  // A responder that still has a socket of an older session tells what that expects (RFC 5961 4.2).
  if (!entry->answered && from == kResponder && !fin && segment.payload_octets == 0 &&
      !AnswersSyn(*entry, segment)) {
    return;
  }
  if (!flow.known) flow.BeginAt(segment.sequence);

  const bool repeated = (fin && flow.fin) || (dense && segment.payload_octets > 0 &&
                                              !IsAfter(EndOf(segment), flow.next()));
  if (repeated && counted) ++flow.retransmitted;
  other.Acknowledge(segment.acknowledgment, dense);
  const bool first_fin = fin && !flow.fin;
  // An acknowledgment tells what was sent before it, and may have gone unseen.
  if (dense || fin || segment.payload_octets > 0) flow.Reach(EndOf(segment), dense);
  flow.fin = flow.fin || fin;

  // The initiator's acknowledgment ends the handshake; all but an acknowledgment comes after it.
  if (!entry->done && (from == kInitiator || fin || segment.payload_octets > 0)) {
    const Time answered = entry->times[kInitiator].established;
    entry->timed = from == kInitiator && !fin && answered != Time::min();
    Complete(entry, entry->timed ? segment.at : answered, segment.at, emit);
  }
  if (first_fin) {
    if (entry->self || !other.fin) {
      entry->first_fin = from;
    } else {
      // One that does not acknowledge the other's was sent before that came: both closed first.
      entry->closed_at_once = IsAfter(other.next() + 1, segment.acknowledgment);
    }
    entry->closed_at_once = entry->closed_at_once || entry->self;
  }
  if (!flow.fin || !other.fin) {
    if (first_fin) return MoveTo(Class::kHalfClosed, entry, segment.at);
    if (dense && entry->wait >= Class::kHalfClosed) MoveTo(entry->wait, entry, segment.at);
    return;
  }
  if (!dense) return End(entry, {Ending::kFins}, segment.at, emit);
  if (first_fin) return MoveTo(Class::kLastAck, entry, segment.at);
  if (flow.fin_acknowledged && other.fin_acknowledged) EndOrderly(entry, emit);
}

}  // namespace sockflow::pcap
