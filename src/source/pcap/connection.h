// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "sockflow/session_event.h"
#include "source/pcap/tcp_segment.h"

namespace sockflow::pcap {

// The two ends of a connection, and the directions that begin there.
using Side = size_t;
inline constexpr Side kInitiator = 0, kResponder = 1;
constexpr Side Other(Side side) { return 1 - side; }

// The two endpoints of a connection, the same for segments of both directions.
struct Tuple {
  Tuple() = default;
  Tuple(const Endpoint& one, const Endpoint& other);

  Endpoint low;
  Endpoint high;

  friend bool operator==(const Tuple&, const Tuple&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Tuple& t) {
    return H::combine(std::move(h), t.low.address, t.low.port, t.high.address, t.high.port);
  }
};

// Sequence numbers count modulo 2^32, and between two segments that are seen any number of octets
// may have gone unseen: only what lies just before the first octet is known to be no offset from
// it.
constexpr bool IsBefore(uint32_t offset) { return offset >= 0xFFFF0000u; }
// Whether `sequence` comes after `other`, if they are less than 2^31 apart (RFC 9293 3.4).
constexpr bool IsAfter(uint32_t sequence, uint32_t other) {
  return static_cast<int32_t>(sequence - other) > 0;
}

// One direction of a connection.
struct Flow {
  uint64_t octets = 0;         // of payload, up to the highest sequence number seen
  uint64_t acknowledged = 0;   // octets, by the other side
  uint64_t packets = 0;
  uint32_t first = 0;          // sequence number of the first octet, if known
  uint32_t retransmitted = 0;  // packets
  uint32_t interface = 0;      // where it was seen first, if seen: only there it is counted
  bool seen : 1 = false;
  bool known : 1 = false;  // where it begins
  bool syn : 1 = false;    // its SYN was seen, with or without ACK
  bool syn_repeated : 1 = false;
  bool fin : 1 = false;  // seen: octets is final
  bool fin_acknowledged : 1 = false;

  void BeginAt(uint32_t sequence) {
    first = sequence;
    known = true;
  }
  // The sequence number after the highest octet that was seen.
  uint32_t next() const { return first + static_cast<uint32_t>(octets); }
  // Whether the sequence number can be one of this direction; `dense`: all its segments are seen.
  bool IsPlausible(uint32_t sequence, bool dense) const;
  // A segment ends at this sequence number.
  void Reach(uint32_t sequence, bool dense);
  void Acknowledge(uint32_t acknowledgment, bool dense);
  // The best that is known of its octets. With FIN they are exact (without `dense` modulo 2^32);
  // otherwise there were not less.
  uint64_t TotalOctets() const { return fin ? octets : std::max(octets, acknowledged); }
};

// How a connection ended.
struct Ending {
  enum Kind : uint8_t { kFins, kReset, kRefused, kTimedOut, kNotSeen, kCaptureEnded };
  Kind kind;
  Side by = kInitiator;  // kReset, kRefused: who sent it
};

// What is known of one connection: 184 octets, and 40 more for its place in lists, heap and table.
struct Connection {
  // What it waits for, from the least valuable on; then two of which only the memory is left.
  enum Class : uint8_t {
    kLastAck,     // both FINs seen; every_segment: the last acknowledgments are still counted
    kUnanswered,  // SYN
    kHandshake,   // SYN+ACK, and nobody knows whether its responder's handshake is done
    kHalfClosed,  // one FIN
    kEstablished,
    kOpenClasses,
    kEnded = kOpenClasses,  // what is late for it must not be taken for another session
    kStranger,              // not told: began before the capture, or not ours
    kClasses,
  };
  struct Times {
    Time started = Time::min();      // Time::min(): not yet
    Time established = Time::min();  // likewise
  };

  Tuple tuple;
  uint64_t number = 0;  // of the session, counted from 0: its ids follow from it
  Time deadline = Time::max();
  std::array<Times, 2> times;  // by side
  std::array<Flow, 2> flows;   // by the side that sends
  uint32_t syn_payload = 0;    // TCP Fast Open (RFC 7413)
  uint8_t tcp_header_octets = 0;
  uint8_t header_rank = 0;  // how well the segment of tcp_header_octets stands for the session
  Class wait = kUnanswered;
  std::array<bool, 2> observed{};   // by side
  std::array<bool, 2> announced{};  // by side: its start was told
  bool initiator_is_low : 1 = false;
  bool self : 1 = false;           // connected to itself: one socket, one direction
  bool simultaneous : 1 = false;   // both sides sent SYN: both are active (RFC 9293 3.5)
  bool answered : 1 = false;       // by SYN+ACK, or it went on as if it were
  bool done : 1 = false;           // the handshake, on both sides
  bool timed : 1 = false;          // the handshake's last segment was seen: a round trip
  bool existing : 1 = false;  // it was open before the capture: its sequence numbers are not known
  bool closed_at_once : 1 = false;  // no FIN acknowledges the other
  Side first_fin : 1 = kInitiator;  // who sent it

  const Endpoint& endpoint(Side side) const {
    return (side == kInitiator) == initiator_is_low ? tuple.low : tuple.high;
  }
  Side SideOf(const Endpoint& endpoint) const {
    return self || endpoint == this->endpoint(kInitiator) ? kInitiator : kResponder;
  }
  // The side that receives what `side` sends.
  Side PeerOf(Side side) const { return self ? side : Other(side); }

  // The TCP header of a session is that of its ordinary segments: a SYN has options of its own, and
  // a RST may have been sent without a socket.
  void NoteHeader(const TcpSegment& segment);

  // The kind, `at` and the id are left to the caller.
  SessionEvent EventOf(Side side) const;
  // Adds what a kClose tells.
  void AddEnd(SessionEvent& event, Side side, Ending ending, bool dense) const;

 private:
  TcpState StateOf(Side side, bool dense) const;
  TcpFacts FactsOf(Side side) const;
};

}  // namespace sockflow::pcap
