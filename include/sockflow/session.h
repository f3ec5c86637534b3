// SPDX-License-Identifier: MIT
#pragma once

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
  // What earlier records told of tcp, or what had gone before the session was found: a record counts what
  // came since.
  TcpFacts reported;

  // Filled by enrichment; empty or null when not known. Of the process above, at the local end.
  std::string user_name;
  std::string executable;
  std::string command_line;  // arguments with single spaces between
  std::shared_ptr<const ContainerFacts> container;
  std::shared_ptr<const PodFacts> pod;
  std::shared_ptr<const PodFacts> remote_pod;  // at the other end: of the peer's address

  // Another process has other facts.
  void ForgetEnrichment();

  const Endpoint& source() const { return direction == Direction::kActive ? local : remote; }
  const Endpoint& destination() const { return direction == Direction::kActive ? remote : local; }
  bool is_ipv4() const { return local.address.is_v4() && remote.address.is_v4(); }
  uint64_t initiator_octets() const {
    return direction == Direction::kActive ? tcp.octets_sent : tcp.octets_received;
  }
  uint64_t responder_octets() const {
    return direction == Direction::kActive ? tcp.octets_received : tcp.octets_sent;
  }
  uint64_t initiator_packets() const {
    return direction == Direction::kActive ? tcp.packets_sent : tcp.packets_received;
  }
  uint64_t responder_packets() const {
    return direction == Direction::kActive ? tcp.packets_received : tcp.packets_sent;
  }
  // In whole IP packets, as octetDeltaCount wants them, of which the kernel counts only the TCP
  // payload. So this is computed: payload and, for each segment, an IP header without options and the
  // TCP header of this session. Segments sent again count as segments but their payload is in it once.
  uint64_t initiator_ip_octets() const {
    return initiator_octets() + initiator_packets() * header_octets();
  }
  uint64_t responder_ip_octets() const {
    return responder_octets() + responder_packets() * header_octets();
  }
  uint64_t header_octets() const {
    const uint64_t ip_header = is_ipv4() ? 20 : 40;
    return ip_header + (tcp.tcp_header_octets < 20 ? 20 : tcp.tcp_header_octets);
  }
};

// What is exported: a session at one of its moments.
struct SessionRecord {
  enum class Kind : uint8_t { kStart, kUpdate, kEnd };
  Kind kind;
  const Session& session;
};

// Why the session ended: what its source told, else derived from its last state and error. Only for
// sessions that ended.
EndCause EndCauseOf(const Session& session);

}  // namespace sockflow
