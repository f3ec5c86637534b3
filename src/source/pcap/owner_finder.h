// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "sockflow/event_source.h"
#include "sockflow/session_event.h"

namespace sockflow::pcap {

// The local end of a session, whose owner is looked for.
struct LocalEnd {
  SessionId id = 0;
  Direction direction = Direction::kActive;
  Endpoint local;
  Endpoint remote;
  Time at{};  // of its first packet
};

// What was found out about a local end.
struct Finding {
  SessionId id = 0;
  std::optional<Process> process;
  Attribution attribution = Attribution::kUnknown;  // of process
  uint64_t socket_cookie = 0;                       // 0: not known
  bool established = false;                         // the host says that its handshake is done
};

// A session that the host has open, and a process that holds it.
struct OpenSession {
  Direction direction = Direction::kActive;
  Endpoint local;
  Endpoint remote;
  std::optional<Process> process;  // none: it waits to be accepted, is closed already, or may not be seen
  uint64_t socket_cookie = 0;
};

// Finds who owns the sockets of sessions that were seen as packets. One leaf implements it for each
// platform. Rather says nothing than something wrong. Used by one thread; may have one of its own for what
// is slow, and bounds all that it remembers.
class OwnerFinder {
 public:
  using Found = absl::FunctionRef<void(const Finding&)>;

  virtual ~OwnerFinder() = default;

  // Begins to look for the owner of this end, at once: the socket may live for a millisecond only. What
  // is found is told by Poll, more than once if it becomes more certain.
  virtual void Look(const LocalEnd& end) = 0;

  // The session is over; `reset_here`: this end sent RST. What is still known about it is told now, if it
  // was not; nothing afterwards.
  virtual void Forget(SessionId id, bool reset_here, Found found) = 0;

  // Takes what the host told meanwhile, and tells what is found. Cheap when there is nothing. Call it
  // after packets were taken and before they are looked at: what the host tells of them came first.
  virtual void Poll(Time now, Found found) = 0;
  // When Poll has something to do without being woken; Time::max(): never.
  virtual Time NextDeadline() const = 0;

  // How late a Look may come and still find the owner of a socket that lives for a millisecond.
  virtual Duration patience() const = 0;

  // Descriptors that become readable when Poll has something to do.
  virtual std::vector<int> descriptors() const = 0;

  // Whether the host has this socket, not closed. True also if it cannot tell.
  virtual bool HasSocket(const Endpoint& local, const Endpoint& remote) = 0;

  // All sessions of the host, now. On a host with many processes it takes a while: for when a capture
  // begins.
  virtual std::vector<OpenSession> OpenSessions() = 0;

  // What could not be found out, by reason: "owner_events_lost", ...
  virtual std::vector<LossCounter> losses() = 0;

  // How it finds, and why not better, for people: "owners from the tracepoint sock:inet_sock_set_state".
  virtual std::string description() const = 0;
};

struct OwnerFinderOptions {
  bool allow_trace = true;  // Linux: the tracepoint sock:inet_sock_set_state
  size_t most_trace_octets = 32 << 20;  // of locked memory, over all CPUs
};

// The best way that this process may use. Always there: at worst one that finds little and says why.
std::unique_ptr<OwnerFinder> OpenOwnerFinder(const OwnerFinderOptions& options = {});

}  // namespace sockflow::pcap
