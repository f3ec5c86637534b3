// SPDX-License-Identifier: MIT
#pragma once

// What the fields of session records hold, worked out from a session where it is not simply one of
// its members. Inline: each becomes part of the function that writes a whole record.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string_view>

#include "ipfix/wire.h"
#include "sockflow/session.h"

namespace sockflow::ipfix {

using Record = SessionRecord;

// The IANA registry gives the values of these elements.
inline constexpr uint8_t kFlowCreated = 1, kFlowDeleted = 2, kFlowUpdate = 5;   // firewallEvent
inline constexpr uint8_t kInitiator = 1;                                        // biflowDirection
inline constexpr uint8_t kIngress = 0, kEgress = 1;                             // flowDirection
inline constexpr uint8_t kIdleTimeout = 1, kActiveTimeout = 2, kEndOfFlow = 3,
                         kForcedEnd = 4;  // flowEndReason
inline constexpr uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;    // tcpControlBits
inline constexpr uint8_t kTcp = 6;                                              // protocolIdentifier

inline bool IsActive(const Record& record) {
  return record.session.direction == Direction::kActive;
}
inline bool IsStart(const Record& record) { return record.kind == Record::Kind::kStart; }

inline uint8_t FirewallEvent(const Record& record) {
  switch (record.kind) {
    case Record::Kind::kStart: return kFlowCreated;
    case Record::Kind::kUpdate: return kFlowUpdate;
    case Record::Kind::kEnd: return kFlowDeleted;
  }
  return kFlowUpdate;
}

// Both directions together, as far as the session is known to have carried them. A passive session
// is known to us from the end of its handshake on, so it is established.
inline uint8_t TcpControlBits(const Record& record) {
  const Session& session = record.session;
  uint8_t bits = kSyn;
  if (session.established.has_value() || !IsActive(record)) bits |= kAck;
  // A start may be made of what is known at the end; it tells of the start all the same.
  if (IsStart(record)) return bits;
  if (session.tcp.fin_received) bits |= kFin;
  if (record.kind != Record::Kind::kEnd) return bits;
  EndCause cause = EndCauseOf(session);
  if (cause == EndCause::kOwnerKilled) cause = DerivedEndCauseOf(session);
  switch (cause) {
    case EndCause::kLocalFin:
    case EndCause::kRemoteFin: return bits | kFin;
    case EndCause::kRemoteReset: return bits | kRst;
    // RFC 9293 3.10.7.1: what refuses a SYN acknowledges it.
    case EndCause::kRefused: return bits | kRst | kAck;
    // Who gives up a connect before it is answered sends nothing (tcp_need_reset()).
    case EndCause::kLocalReset:
      return session.last_state == TcpState::kSynSent ? bits : bits | kRst;
    // With its listener, or because nobody had room for it.
    case EndCause::kNotAccepted:
      return session.last_state == TcpState::kEstablished ||
                     session.last_state == TcpState::kCloseWait
                 ? bits | kRst
                 : bits;
    default: return bits;
  }
}

// "End of flow" is what segments or the kernel told, whoever caused it; "forced" what has nothing to do
// with the session; "lack of resources" never: what the session table forgets ends later all the same.
inline uint8_t FlowEndReason(const Record& record) {
  if (record.kind == Record::Kind::kUpdate) return kActiveTimeout;
  switch (EndCauseOf(record.session)) {
    case EndCause::kTimedOut:
    case EndCause::kNotSeen: return kIdleTimeout;
    case EndCause::kCaptureEnded: return kForcedEnd;
    default: return kEndOfFlow;
  }
}

// A session that goes on has no reason yet.
inline std::string_view CloseReason(const Record& record) {
  return ToString(record.kind == Record::Kind::kEnd ? EndCauseOf(record.session)
                                                    : EndCause::kNone);
}

// IPFIX has no times before 1970.
inline Duration SinceEpoch(Time time) { return std::max(time.time_since_epoch(), Duration::zero()); }

inline uint64_t Milliseconds(Time time) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(SinceEpoch(time)).count());
}
inline uint64_t Seconds(Time time) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(SinceEpoch(time)).count());
}

// RFC 7011 6.1.9 and 6.1.10. The seconds wrap in 2036, as those of NTP do (RFC 7011 5.2).
template <typename Unit>
uint64_t NtpTimestamp(Time time) {
  const Duration since_epoch = SinceEpoch(time);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const auto units = std::chrono::floor<Unit>(since_epoch - seconds);
  const uint64_t fraction =
      (static_cast<uint64_t>(units.count()) << 32) / static_cast<uint64_t>(Unit::period::den);
  return static_cast<uint64_t>(seconds.count() + kNtpToUnixSeconds) << 32 | fraction;
}
inline uint64_t NtpMicroseconds(Time time) {
  return NtpTimestamp<std::chrono::microseconds>(time) & ~kNtpMicrosecondsUnused;
}
inline uint64_t NtpNanoseconds(Time time) { return NtpTimestamp<std::chrono::nanoseconds>(time); }

// Readers show 1970 for a flow without an end, so a session that goes on ends where it started. A
// clock that was set back meanwhile must not end it before.
inline Time EndOf(const Record& record) {
  const Session& session = record.session;
  return IsStart(record) ? session.started : std::max(session.started, session.ended);
}

inline uint32_t DurationMilliseconds(const Record& record) {
  const uint64_t duration = Milliseconds(EndOf(record)) - Milliseconds(record.session.started);
  return static_cast<uint32_t>(
      std::min<uint64_t>(duration, std::numeric_limits<uint32_t>::max()));
}

// What a connect took until its answer came; at least 1, as 0 is for what is not known: of sessions that
// came to us, that were not established, or that had been before anybody looked.
inline uint32_t HandshakeMicroseconds(const Record& record) {
  const Session& session = record.session;
  if (!IsActive(record) || !session.established || session.existing) return 0;
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(*session.established -
                                                                          session.started);
  return static_cast<uint32_t>(
      std::clamp<int64_t>(took.count(), 1, std::numeric_limits<uint32_t>::max()));
}

// ntop's latencies are half of the round-trip time between observer and peer.
inline uint32_t PeerLatencyMilliseconds(const Record& record) {
  return (record.session.tcp.smoothed_rtt_us + 1000) / 2000;
}

inline std::string_view ProcessName(const Record& r) {
  return r.session.process ? r.session.process->name.view() : std::string_view();
}
inline std::string_view ThreadName(const Record& r) {
  return r.session.process ? r.session.process->thread_name.view() : std::string_view();
}
inline std::string_view ParentName(const Record& r) {
  return r.session.process ? r.session.process->parent_name.view() : std::string_view();
}
inline uint32_t Pid(const Record& r) { return r.session.process ? r.session.process->pid : 0; }
inline uint32_t ParentPid(const Record& r) {
  return r.session.process ? r.session.process->parent_pid : 0;
}
inline uint32_t Uid(const Record& r) {
  return r.session.process ? r.session.process->uid : kNoUid;
}
inline uint64_t ProcessStart(const Record& r) {
  return r.session.process ? r.session.process->start_time : 0;
}
inline uint32_t ThreadId(const Record& r) {
  return r.session.process ? r.session.process->thread_id : 0;
}
inline uint64_t CgroupId(const Record& r) {
  return r.session.process ? r.session.process->cgroup_id : 0;
}
inline std::string_view CgroupPath(const Record& r) {
  return r.session.process && r.session.process->detail
             ? std::string_view(r.session.process->detail->cgroup_path)
             : std::string_view();
}

inline std::string_view ContainerId(const Record& r) {
  return r.session.container ? std::string_view(r.session.container->id) : std::string_view();
}

inline std::string_view ContainerRuntime(const Record& r) {
  return r.session.container ? std::string_view(r.session.container->runtime) : std::string_view();
}

// The pod of the local process is known by its cgroup; of one at the other end only what Kubernetes tells.
inline std::string_view PodUidIf(bool local, const Record& r) {
  return local && r.session.container ? std::string_view(r.session.container->pod_uid)
                                      : std::string_view();
}

inline const PodFacts kNoPod;
// The local end is the source of an active session.
inline const PodFacts& PodAtSource(const Record& r) {
  const auto& pod = IsActive(r) ? r.session.pod : r.session.remote_pod;
  return pod ? *pod : kNoPod;
}
inline const PodFacts& PodAtDestination(const Record& r) {
  const auto& pod = IsActive(r) ? r.session.remote_pod : r.session.pod;
  return pod ? *pod : kNoPod;
}

inline constexpr auto kSource = [](const Record& r) -> const Endpoint& {
  return r.session.source();
};
inline constexpr auto kDestination = [](const Record& r) -> const Endpoint& {
  return r.session.destination();
};

}  // namespace sockflow::ipfix
