// SPDX-License-Identifier: MIT
#include "source/ebpf/from_tcp_event.h"

#include <sys/socket.h>

#include <algorithm>
#include <span>

namespace sockflow {
namespace {

SessionEvent::Kind KindOf(uint8_t kind) {
  switch (kind) {
    case TCP_EVENT_CONNECT: return SessionEvent::Kind::kConnect;
    case TCP_EVENT_ESTABLISHED: return SessionEvent::Kind::kEstablished;
    case TCP_EVENT_ACCEPT: return SessionEvent::Kind::kAccept;
    case TCP_EVENT_UPDATE: return SessionEvent::Kind::kUpdate;
    case TCP_EVENT_EXISTING: return SessionEvent::Kind::kExisting;
    default: return SessionEvent::Kind::kClose;
  }
}

IpAddress AddressOf(uint16_t family, const uint8_t (&octets)[16]) {
  const std::span<const uint8_t, 16> all(octets);
  return family == AF_INET ? IpAddress::V4(all.first<4>()) : IpAddress::V6(all);
}

TaskName NameOf(const char (&name)[SOCKFLOW_TASK_NAME]) {
  return TaskName(std::string_view(name, std::size(name)));
}

Process ProcessOf(const tcp_event_owner& owner) {
  return {
      .pid = owner.tgid,
      .thread_id = owner.tid,
      .parent_pid = owner.parent_tgid,
      .uid = owner.uid,
      .start_time = owner.start_time_ns,
      .cgroup_id = owner.cgroup_id,
      .name = NameOf(owner.name),
      .thread_name = NameOf(owner.thread_name),
      .parent_name = NameOf(owner.parent_name),
  };
}

// How far an event knows the owner that it tells. A close repeats the one that the kernel half knew last,
// which of an accepted socket is who accepted it.
Attribution AttributionOf(const tcp_event& event) {
  if ((event.flags & TCP_EVENT_OWNED) == 0) return Attribution::kUnknown;
  if ((event.flags & TCP_EVENT_HELD) != 0) return Attribution::kHolder;
  if (event.direction == TCP_EVENT_ACTIVE || event.kind == TCP_EVENT_ACCEPT) {
    return Attribution::kCaller;
  }
  const bool accepted = (event.kind == TCP_EVENT_CLOSE || event.kind == TCP_EVENT_UPDATE) &&
                        (event.flags & TCP_EVENT_ACCEPTED) != 0;
  return accepted ? Attribution::kCaller : Attribution::kListener;
}

// An open socket that closes without an error is aborted: its RST goes out once it is in TCP_CLOSE
// (tcp_disconnect(), __tcp_close()).
bool SendsReset(const tcp_event& event) {
  return event.kind == TCP_EVENT_CLOSE && event.error == 0 &&
         (event.old_state == static_cast<uint8_t>(TcpState::kEstablished) ||
          event.old_state == static_cast<uint8_t>(TcpState::kCloseWait));
}

// With what the socket does not count: the SYN+ACK of one that a listener begot, which its request sent
// before it was there (tcp_make_synack()), and the RST that comes after the event.
uint64_t PacketsSent(const tcp_event& event) {
  const bool has_facts = event.kind == TCP_EVENT_CLOSE || event.kind == TCP_EVENT_UPDATE ||
                         event.kind == TCP_EVENT_EXISTING;
  return uint64_t{event.packets_sent} + (has_facts && event.direction == TCP_EVENT_PASSIVE ? 1 : 0) +
         (SendsReset(event) ? 1 : 0);
}

}  // namespace

SessionEvent FromTcpEvent(const tcp_event& event, const WallClock& clock) {
  SessionEvent result{
      .kind = KindOf(event.kind),
      .direction =
          event.direction == TCP_EVENT_ACTIVE ? Direction::kActive : Direction::kPassive,
      .accepted = event.kind != TCP_EVENT_CLOSE || (event.flags & TCP_EVENT_ACCEPTED) != 0,
      .may_be_accepted = (event.flags & TCP_EVENT_MAY_BE_ACCEPTED) != 0,
      .already_closed = (event.flags & TCP_EVENT_ALREADY_CLOSED) != 0,
      .announced = (event.flags & TCP_EVENT_ANNOUNCED) != 0,
      .existing = (event.flags & TCP_EVENT_UNSEEN_START) != 0,
      .last_state = static_cast<TcpState>(event.old_state),
      .id = event.session_id,
      .socket_cookie = event.socket_cookie,
      .netns = event.netns,
      .at = clock.FromMonotonic(event.time_ns),
      .started = clock.FromMonotonic(event.start_ns),
      .local = {AddressOf(event.family, event.local_address), event.local_port},
      .remote = {AddressOf(event.family, event.remote_address), event.remote_port},
      .tcp = {.octets_sent = event.octets_sent,
              .octets_received = event.octets_received,
              .packets_sent = PacketsSent(event),
              .packets_received = event.packets_received,
              .retransmitted_packets = event.retransmitted_packets,
              .smoothed_rtt_us = event.smoothed_rtt_us,
              .minimum_rtt_us = event.minimum_rtt_us,
              .error = event.error,
              .tcp_header_octets = event.tcp_header_octets,
              .fin_received = (event.flags & TCP_EVENT_FIN_RECEIVED) != 0},
  };
  result.attribution = AttributionOf(event);
  // What the peer did to a socket that was still sending comes before.
  if (event.kind == TCP_EVENT_CLOSE && (event.flags & TCP_EVENT_OWNER_KILLED) != 0 && event.error == 0) {
    result.end_cause = EndCause::kOwnerKilled;
  }
  if (event.established_ns != 0) result.established = clock.FromMonotonic(event.established_ns);
  if ((event.flags & TCP_EVENT_OWNED) != 0) result.process = ProcessOf(event.owner);
  return result;
}

}  // namespace sockflow
