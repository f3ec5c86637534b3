// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "sockflow/ip_address.h"
#include "sockflow/time.h"

namespace sockflow {

// Identifies one session of one host between two boots; never a socket address or cookie, because
// the kernel uses both again (a socket that is disconnected and connected again keeps them).
using SessionId = uint64_t;

// Which side of the session the local process is on.
enum class Direction : uint8_t {
  kActive,   // a local process called connect(): it is the initiator
  kPassive,  // a local process accepted: the remote peer is the initiator
};

// A kernel task name: at most 15 octets and a NUL (TASK_COMM_LEN), stored inline because one
// arrives with every event. The octets are the process's own choice and may be any but NUL.
class TaskName {
 public:
  static constexpr size_t kSize = 16;

  constexpr TaskName() = default;
  constexpr TaskName(std::string_view name) {  // NOLINT: a literal is a name
    for (size_t i = 0; i < name.size() && i + 1 < kSize && name[i] != '\0'; ++i) {
      octets_[i] = name[i];
    }
  }
  constexpr std::string_view view() const {
    size_t length = 0;
    while (length < kSize && octets_[length] != '\0') ++length;
    return {octets_.data(), length};
  }
  friend constexpr bool operator==(const TaskName&, const TaskName&) = default;

 private:
  std::array<char, kSize> octets_{};
};

// What stands for a user that is not known: the kernel never gives (uid_t)-1 to a process, while 0 would be
// root.
inline constexpr uint32_t kNoUid = 0xFFFFFFFF;

// What a source knows of a process beyond the space of an event, as it was when the process acted on the
// socket. Shared by all sessions of the process; empty strings: not known. Octets are the process's own
// choice: who shows them escapes them.
struct ProcessDetail {
  std::string executable;    // absolute path of the program
  std::string command_line;  // arguments with single spaces between, cut at a limit; only if asked for
  std::string cgroup_path;   // in the unified hierarchy, from its root: "/system.slice/ssh.service"
};

// The process that owns a session: the one that connected or accepted it. Later forks, execs and
// descriptor passing do not change the owner.
struct Process {
  uint32_t pid = 0;        // thread group id, in the initial PID namespace
  uint32_t thread_id = 0;  // the thread that called
  uint32_t parent_pid = 0;
  uint32_t uid = 0;         // real user id, in the initial user namespace; or kNoUid
  uint64_t start_time = 0;  // nanoseconds since boot; with pid, tells a reused pid apart; 0 unknown
  uint64_t cgroup_id = 0;   // cgroup v2 id; 0 unknown
  TaskName name;            // of the thread group's leader
  TaskName thread_name;     // of the calling thread; often the same
  TaskName parent_name;
  std::shared_ptr<const ProcessDetail> detail;  // null: the source has none

  // The same process with or without its detail.
  friend bool operator==(const Process& a, const Process& b) {
    return std::tie(a.pid, a.thread_id, a.parent_pid, a.uid, a.start_time, a.cgroup_id, a.name, a.thread_name,
                    a.parent_name) == std::tie(b.pid, b.thread_id, b.parent_pid, b.uid, b.start_time,
                                               b.cgroup_id, b.name, b.thread_name, b.parent_name);
  }
};

// How the owner of a session is known. The values are exported and stay as they are.
enum class Attribution : uint8_t {
  kUnknown = 0,   // it is not
  kListener = 1,  // inferred: who listens will accept
  kCaller = 2,    // exact: told by the kernel as the owner acted on the socket (connect, accept, close)
  kHolder = 3,    // guessed: found holding a descriptor of the socket, which may be inherited
};

// Whether an owner known in the first way is more certain than one known in the second.
bool MoreCertain(Attribution first, Attribution second);

// Why a session ended.
enum class EndCause : uint8_t {
  kNone,          // it has not
  kLocalFin,      // orderly, our side closed first
  kRemoteFin,     // orderly, the peer closed first
  kLocalReset,    // we sent RST (abort, unread data, linger 0, disconnect)
  kRemoteReset,   // the peer sent RST
  kRefused,       // the connect was answered by RST
  kTimedOut,      // no answer
  kUnreachable,   // the network reported an error (ICMP)
  kNotAccepted,   // closed in the accept queue, no process ever had it
  kNotSeen,       // it is over, but its end was not seen (packets were lost)
  kCaptureEnded,  // it went on when a capture file ended
  kOwnerKilled,   // a signal killed the process that had it, and the kernel closed it
};

// "local-fin", "remote-reset", ...: for people.
std::string_view ToString(EndCause cause);

// What the kernel counted for one socket, or what the packets of a session told. Octets are TCP payload,
// each octet once; packets are segments including those without payload.
struct TcpFacts {
  uint64_t octets_sent = 0;
  uint64_t octets_received = 0;
  uint64_t packets_sent = 0;
  uint64_t packets_received = 0;
  uint32_t retransmitted_packets = 0;  // sent by us more than once
  uint32_t smoothed_rtt_us = 0;        // microseconds; 0 unknown
  uint32_t minimum_rtt_us = 0;         // microseconds; 0 unknown
  uint16_t error = 0;                  // errno of the socket (sk_err) when it closed; 0 none
  uint8_t tcp_header_octets = 0;       // length of the TCP header with the options of this session
  bool fin_received = false;

  friend bool operator==(const TcpFacts&, const TcpFacts&) = default;
};

// TCP states by the kernel's numbers (include/net/tcp_states.h).
enum class TcpState : uint8_t {
  kUnknown = 0,
  kEstablished = 1,
  kSynSent = 2,
  kSynRecv = 3,
  kFinWait1 = 4,
  kFinWait2 = 5,
  kTimeWait = 6,
  kClose = 7,
  kCloseWait = 8,
  kLastAck = 9,
  kListen = 10,
  kClosing = 11,
};

// The one thing that leaves a capture source, whichever it is (eBPF, libpcap, replay). Each event
// stands alone: it repeats all that is known of the session, so that a lost start can be made good
// from the end.
struct SessionEvent {
  enum class Kind : uint8_t {
    kConnect,      // active session, owner known
    kEstablished,  // passive session, owner so far the listener: a kAccept may correct it
    kAccept,       // passive session, owner is the process that accepted
    kOwner,        // the owner of a session that had none or a less certain one (MoreCertain)
    kExisting,     // a session older than the capture was found, its counters so far in tcp
    kUpdate,       // counters of a session that goes on
    kClose,        // the session is over
  };

  Kind kind = Kind::kConnect;
  Direction direction = Direction::kActive;
  // kClose: the socket had been accepted (always true for active sessions). A passive session that
  // closes in the accept queue may still be accepted afterwards; see may_be_accepted.
  bool accepted = true;
  // kClose with accepted == false: the source will send a kAccept if the dead session is accepted
  // after all.
  bool may_be_accepted = false;
  // kConnect without a process: the source looks for it, and a kOwner may follow soon. (A kEstablished
  // always waits for who accepts it.)
  bool owner_may_follow = false;
  // kAccept: the session had ended in the accept queue before it was accepted; its kClose came first.
  bool already_closed = false;
  // kClose: an earlier event of this session left the source. If not, its start was lost, or it had
  // none (a session that is never accepted).
  bool announced = false;
  // The session is older than the capture: `started` is when it was found (kExisting) or, if it never was
  // before it closed, when it ended.
  bool existing = false;
  TcpState last_state = TcpState::kUnknown;  // kClose: the state before; kClose: not known
  SessionId id = 0;
  uint64_t socket_cookie = 0;  // SO_COOKIE; 0 when the kernel does not give it
  uint32_t netns = 0;          // network namespace inode
  Time at{};                   // when this event happened
  Time started{};              // SYN sent (active) or handshake done (passive)
  std::optional<Time> established;
  Endpoint local;
  Endpoint remote;
  std::optional<Process> process;
  Attribution attribution = Attribution::kUnknown;  // of process
  // kClose: why, where the source knows it; kNone: last_state and tcp.error tell.
  EndCause end_cause = EndCause::kNone;
  TcpFacts tcp;  // meaningful in kExisting, kUpdate and kClose
};

}  // namespace sockflow
