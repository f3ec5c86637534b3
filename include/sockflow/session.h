// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sockflow/session_event.h"

namespace sockflow {

// Where a process runs, told from its cgroup.
struct ContainerFacts {
  std::string id;       // as the runtime names it, whole: 64 hexadecimal digits for most
  std::string runtime;  // "docker", "containerd", "cri-o", "podman", ...; empty: not known
  std::string pod_uid;  // of Kubernetes, with dashes; empty: in no pod
};

// What Kubernetes knows of one end of a session. Empty strings: nothing.
struct PodFacts {
  std::string pod_namespace;
  std::string pod_name;
  std::string node_name;
  std::string workload;  // what owns the pod: "Deployment/web"
  std::string labels;    // those that were asked for: "app=web,tier=front"
};

// Whether a session is exported. Decided once, for all of its moments: no end without a start, no start without
// an end, whatever becomes known or changes meanwhile.
enum class Choice : uint8_t { kOpen, kKept, kLeftOut };

// One TCP session as one local socket sees it. A session between two local processes is two of
// these, one for each socket.
struct Session {
  SessionId id = 0;
  uint64_t socket_cookie = 0;
  uint32_t netns = 0;
  Direction direction = Direction::kActive;
  bool accepted = true;
  TcpState last_state = TcpState::kUnknown;
  EndCause end_cause = EndCause::kNone;  // that its source told; see EndCauseOf
  Endpoint local;
  Endpoint remote;
  Time started{};
  std::optional<Time> established;
  Time ended{};  // valid in a record that ends the session, and in an update: its time
  std::optional<Process> process;
  Attribution attribution = Attribution::kUnknown;
  // It is older than the capture: `started` is when it was found, and `tcp` counts what went before, too.
  bool existing = false;
  TcpFacts tcp;
  // What had gone before the session was found; nothing but of one that is existing.
  TcpFacts before;
  // What earlier records told of tcp, or what had gone before: a record counts what came since.
  TcpFacts reported;

  // Filled by enrichment; empty or null when not known. Of the process above, at the local end.
  std::string user_name;
  std::string executable;
  std::string command_line;  // arguments with single spaces between
  std::shared_ptr<const ContainerFacts> container;
  std::shared_ptr<const PodFacts> pod;
  std::shared_ptr<const PodFacts> remote_pod;  // at the other end: of the peer's address

  Choice choice = Choice::kOpen;

  // Another process has other facts.
  void ForgetEnrichment();

  const Endpoint& source() const { return direction == Direction::kActive ? local : remote; }
  const Endpoint& destination() const { return direction == Direction::kActive ? remote : local; }
  bool is_ipv4() const { return local.address.is_v4() && remote.address.is_v4(); }
  // By direction, of facts of this session: of `tcp` all that it carried.
  uint64_t initiator_octets(const TcpFacts& facts) const {
    return direction == Direction::kActive ? facts.octets_sent : facts.octets_received;
  }
  uint64_t responder_octets(const TcpFacts& facts) const {
    return direction == Direction::kActive ? facts.octets_received : facts.octets_sent;
  }
  uint64_t initiator_packets(const TcpFacts& facts) const {
    return direction == Direction::kActive ? facts.packets_sent : facts.packets_received;
  }
  uint64_t responder_packets(const TcpFacts& facts) const {
    return direction == Direction::kActive ? facts.packets_received : facts.packets_sent;
  }
  // In whole IP packets, as octetDeltaCount wants them, of which the kernel counts only the TCP
  // payload. So this is computed: payload and, for each segment, an IP header without options and the
  // TCP header of this session. Segments sent again count as segments but their payload is in it once.
  uint64_t initiator_ip_octets(const TcpFacts& facts) const {
    return initiator_octets(facts) + initiator_packets(facts) * header_octets(facts);
  }
  uint64_t responder_ip_octets(const TcpFacts& facts) const {
    return responder_octets(facts) + responder_packets(facts) * header_octets(facts);
  }
  static uint8_t tcp_header_octets(const TcpFacts& facts) {
    return facts.tcp_header_octets < 20 ? uint8_t{20} : facts.tcp_header_octets;
  }
  uint64_t header_octets(const TcpFacts& facts) const {
    return (is_ipv4() ? 20u : 40u) + tcp_header_octets(facts);
  }
};

// What is exported: a session at one of its moments.
struct SessionRecord {
  enum class Kind : uint8_t { kStart, kUpdate, kEnd };
  Kind kind;
  const Session& session;
  // What counters begin at: the record before, so that all records of a session add up to what it carried
  // (since it was found, if it is existing). Session::before for who gets no updates: whole counts.
  const TcpFacts& since = session.reported;

  // By direction, what came since.
  uint64_t initiator_octets() const { return Since<&Session::initiator_octets>(); }
  uint64_t responder_octets() const { return Since<&Session::responder_octets>(); }
  uint64_t initiator_packets() const { return Since<&Session::initiator_packets>(); }
  uint64_t responder_packets() const { return Since<&Session::responder_packets>(); }
  uint64_t initiator_ip_octets() const { return Since<&Session::initiator_ip_octets>(); }
  uint64_t responder_ip_octets() const { return Since<&Session::responder_ip_octets>(); }
  uint32_t retransmitted_packets() const {
    const uint32_t now = session.tcp.retransmitted_packets;
    return now - std::min(now, since.retransmitted_packets);
  }

 private:
  // A source that knows less at the end than it did before must not make a count of 2^64.
  template <uint64_t (Session::*kCount)(const TcpFacts&) const>
  uint64_t Since() const {
    const uint64_t now = (session.*kCount)(session.tcp);
    return now - std::min(now, (session.*kCount)(since));
  }
};

// Why the session ended: what its source told, else derived from its last state and error. Only for
// sessions that ended.
EndCause EndCauseOf(const Session& session);

// The same without what its source told: what the peer has seen of an owner that was killed.
EndCause DerivedEndCauseOf(const Session& session);

}  // namespace sockflow
