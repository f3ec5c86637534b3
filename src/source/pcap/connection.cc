// SPDX-License-Identifier: MIT
#include "source/pcap/connection.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace sockflow::pcap {
namespace {

// errno values as the kernel numbers them on Linux, whatever the host that runs this code.
constexpr uint16_t kEpipe = 32;
constexpr uint16_t kEconnreset = 104;
constexpr uint16_t kEtimedout = 110;
constexpr uint16_t kEconnrefused = 111;

// A receive window is at most 2^30 octets (RFC 7323 2.3): no segment is further from the one
// before, unless the capture lost more than that.
constexpr uint32_t kLargestWindow = 1u << 30;

bool IsLess(const Endpoint& one, const Endpoint& other) {
  if (one.port != other.port) return one.port < other.port;
  return std::ranges::lexicographical_compare(one.address.octets(), other.address.octets());
}

uint32_t Microseconds(Time from, Time to) {
  if (from == Time::min() || to <= from) return 0;
  // Unsigned, because times in a damaged capture may be too far apart.
  const uint64_t nanoseconds = static_cast<uint64_t>(to.time_since_epoch().count()) -
                               static_cast<uint64_t>(from.time_since_epoch().count());
  // 0 would say that it is not known.
  return static_cast<uint32_t>(std::clamp<uint64_t>(nanoseconds / 1000, 1,
                                                    std::numeric_limits<uint32_t>::max()));
}

}  // namespace

Tuple::Tuple(const Endpoint& one, const Endpoint& other)
    : low(IsLess(other, one) ? other : one), high(IsLess(other, one) ? one : other) {}

bool Flow::IsPlausible(uint32_t sequence, bool dense) const {
  if (!known) return true;
  if (!dense) return !IsBefore(sequence - first);
  return sequence - next() + kLargestWindow <= 2 * kLargestWindow;
}

void Flow::Reach(uint32_t sequence, bool dense) {
  if (fin || !known) return;
  if (dense) {
    if (IsAfter(sequence, next())) octets += sequence - next();
  } else if (IsPlausible(sequence, false)) {
    octets = std::max<uint64_t>(octets, sequence - first);
  }
}

void Flow::Acknowledge(uint32_t acknowledgment, bool dense) {
  if (!known) BeginAt(acknowledgment);  // its SYN was not seen
  if (fin && acknowledgment == next() + 1) fin_acknowledged = true;
  if (dense) {
    if (IsAfter(acknowledgment, next())) {
      acknowledged = std::max(acknowledged, octets + (acknowledgment - next()));
    }
  } else if (IsPlausible(acknowledgment, false)) {
    acknowledged = std::max<uint64_t>(acknowledged, acknowledgment - first);
  }
}

void Connection::NoteHeader(const TcpSegment& segment) {
  const uint8_t rank = (segment.flags & kSyn) != 0 ? 1 : (segment.flags & kRst) != 0 ? 2 : 3;
  if (rank < header_rank) return;
  // Of ordinary segments the shortest: others also report what they received out of order (SACK).
  if (rank == header_rank && segment.tcp_header_octets >= tcp_header_octets) return;
  header_rank = rank;
  tcp_header_octets = segment.tcp_header_octets;
}

SessionEvent Connection::EventOf(Side side) const {
  const Times& own = times[side];
  SessionEvent event{
      .direction = side == kInitiator || simultaneous ? Direction::kActive : Direction::kPassive,
      .announced = announced[side],
      .existing = existing,
      .started = own.started,
      .local = endpoint(side),
      .remote = endpoint(Other(side)),
  };
  if (own.established != Time::min()) event.established = own.established;
  return event;
}

// The state that the socket is in, by the kernel's rules.
TcpState Connection::StateOf(Side side, bool dense) const {
  if (times[side].established == Time::min()) return TcpState::kSynSent;
  const Flow& own = flows[side];
  const bool fin_received = flows[PeerOf(side)].fin;
  if (!own.fin) return fin_received ? TcpState::kCloseWait : TcpState::kEstablished;
  if (fin_received) {
    if (closed_at_once) return TcpState::kClosing;
    return first_fin == side ? TcpState::kFinWait2 : TcpState::kLastAck;
  }
  return dense && !own.fin_acknowledged ? TcpState::kFinWait1 : TcpState::kFinWait2;
}

TcpFacts Connection::FactsOf(Side side) const {
  const Flow& out = flows[side];
  const Flow& in = flows[PeerOf(side)];
  TcpFacts facts{
      .octets_sent = out.TotalOctets(),
      .octets_received = in.TotalOctets(),
      .packets_sent = out.packets,
      .packets_received = in.packets,
      .retransmitted_packets = out.retransmitted,
      .tcp_header_octets = tcp_header_octets,
      .fin_received = in.fin,
  };
  // The handshake tells the round-trip time, unless its first packet was sent twice: nobody knows
  // which of the two was answered (Karn's algorithm, RFC 6298 3).
  const bool passive = side == kResponder && !simultaneous;
  if (!out.syn || out.syn_repeated) return facts;
  if (!passive) {
    facts.minimum_rtt_us = Microseconds(times[side].started, times[side].established);
  } else if (timed) {
    facts.minimum_rtt_us = Microseconds(times[kInitiator].established, times[side].established);
  }
  facts.smoothed_rtt_us = facts.minimum_rtt_us;
  return facts;
}

void Connection::AddEnd(SessionEvent& event, Side side, Ending ending, bool dense) const {
  event.last_state = StateOf(side, dense);
  event.tcp = FactsOf(side);
  const bool sent = ending.by == side;
  switch (ending.kind) {
    case Ending::kFins:
      event.end_cause =
          first_fin == side || closed_at_once ? EndCause::kLocalFin : EndCause::kRemoteFin;
      return;
    case Ending::kReset:
      if (!sent) {
        // tcp_reset() in the kernel: EPIPE where the peer's FIN was received.
        event.tcp.error = event.last_state == TcpState::kCloseWait ? kEpipe : kEconnreset;
        event.end_cause = EndCause::kRemoteReset;
      } else {
        // Who closed and then resets what still comes in has closed first (see EndCauseOf).
        event.end_cause = flows[side].fin ? EndCause::kLocalFin : EndCause::kLocalReset;
      }
      return;
    case Ending::kRefused:
      event.tcp.error = sent ? 0 : kEconnrefused;
      event.end_cause = sent ? EndCause::kLocalReset : EndCause::kRefused;
      return;
    case Ending::kTimedOut:
      event.tcp.error = kEtimedout;
      event.end_cause = EndCause::kTimedOut;
      return;
    case Ending::kNotSeen: event.end_cause = EndCause::kNotSeen; return;
    case Ending::kCaptureEnded: event.end_cause = EndCause::kCaptureEnded; return;
  }
}

}  // namespace sockflow::pcap
