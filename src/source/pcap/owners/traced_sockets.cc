// SPDX-License-Identifier: MIT
#include "source/pcap/owners/traced_sockets.h"

#include <utility>

namespace sockflow::pcap {
namespace {

// Packets and records are stamped at different places, packets perhaps in microseconds.
constexpr Duration kSlack = std::chrono::milliseconds(2);

SocketEnds EndsOf(const StateChange& change) { return {change.local, change.remote}; }

// Whether the packets of one connect() cannot be told from those of another that began at `begun`.
bool AtTheSameTime(const Connected& connected, Time begun) {
  return begun - kSlack <= connected.answered + kSlack;
}

// In one network a process may use the ends of its last socket at once; of two processes one may be in
// another network.
bool MayBeElsewhere(const ProcessFacts& a, const ProcessFacts& b) {
  const bool proven = a.network == Network::kOurs && b.network == Network::kOurs;
  return !proven && a.process.pid != b.process.pid;
}

}  // namespace

std::optional<SocketEnds> TracedSockets::Apply(const StateChange& change, Time at,
                                               absl::FunctionRef<bool(const SocketEnds&)> is_watched) {
  if (change.to == TcpState::kSynSent) {
    const ProcessFacts caller = Caller(change, at);
    if (change.local.port != 0) Supersede(EndsOf(change), caller, at);
    return Keep(join_.Begin(change, caller, at));
  }
  if (change.from == TcpState::kSynSent) return Keep(join_.Answer(change, at));
  if (change.from == TcpState::kSynRecv && change.to == TcpState::kEstablished) {
    // In the context of whatever the packet interrupted: its process says nothing.
    const SocketEnds ends = EndsOf(change);
    const Answered* before = answered_.Find(ends);
    const bool contested = before != nullptr && before->established && before->socket != change.socket &&
                           at - *before->established <= 2 * kSlack;
    answered_.Put(ends, {.established = at, .socket = change.socket, .contested = contested});
    return ends;
  }
  if (change.to == TcpState::kClose) {
    const SocketEnds ends = EndsOf(change);
    if (Answered* answered = answered_.Find(ends); answered != nullptr && !answered->closer) {
      answered->aborter = processes_.Describe(change.pid, change.thread_id, at);
      answered->closer_begun = processes_.Begun(change.pid);
    }
    return std::nullopt;
  }
  // Only close(), shutdown() and exit() lead into these two states. (ESTABLISHED->CLOSE may be a RST
  // that came in, in anybody's context.)
  if (change.to == TcpState::kFinWait1 || change.to == TcpState::kLastAck) {
    const SocketEnds ends = EndsOf(change);
    Answered* answered = answered_.Find(ends);
    if (answered == nullptr && !is_watched(ends)) return std::nullopt;
    if (answered == nullptr) answered = &answered_.Put(ends, {});
    if (answered->closer) return std::nullopt;
    std::optional<ProcessFacts> closer = processes_.Describe(change.pid, change.thread_id, at);
    if (closer && (closer->network == Network::kOther ||
                   (closer->network == Network::kUnproven && answered->contested))) {
      return std::nullopt;
    }
    answered->closer = std::move(closer);
    answered->closer_begun = processes_.Begun(change.pid);
    return ends;
  }
  return std::nullopt;
}

const Connected* TracedSockets::FindConnected(const SocketEnds& ends, Time at) {
  const Connected* connected = connected_.Find(ends);
  if (connected == nullptr || at < connected->begun - kSlack || at > connected->answered + kSlack) {
    return nullptr;
  }
  return connected;
}

void TracedSockets::NoteListener(const SocketEnds& ends, std::optional<uint32_t> pid) {
  if (Answered* answered = answered_.Find(ends)) answered->listener = pid;
}

const Answered* TracedSockets::FindAnswered(const SocketEnds& ends, Time at) {
  const Answered* answered = answered_.Find(ends);
  if (answered == nullptr || (answered->established && *answered->established < at - kSlack)) return nullptr;
  return answered;
}

void TracedSockets::Erase(const SocketEnds& ends) {
  connected_.Erase(ends);
  answered_.Erase(ends);
}

void TracedSockets::Clear() {
  join_.Clear();
  connected_.Clear();
  answered_.Clear();
}

ProcessFacts TracedSockets::Caller(const StateChange& change, Time at) {
  if (std::optional<ProcessFacts> facts = processes_.Describe(change.pid, change.thread_id, at)) return *facts;
  // Older than we are, and gone at once: the kernel told its number alone.
  ProcessFacts facts;
  facts.process.pid = change.pid;
  facts.process.thread_id = change.thread_id;
  facts.process.uid = kNoUid;
  return facts;
}

// A port that was chosen with bind(): whoever used these ends before is done, if it was in the same
// network.
void TracedSockets::Supersede(const SocketEnds& ends, const ProcessFacts& caller, Time at) {
  if (caller.network == Network::kOther) return;
  Connected* before = connected_.Find(ends);
  if (before != nullptr && AtTheSameTime(*before, at) && MayBeElsewhere(before->caller, caller)) {
    before->contested = true;
    return;
  }
  Erase(ends);
}

std::optional<SocketEnds> TracedSockets::Keep(std::optional<Connected> connected) {
  // Another network namespace may have sockets with the same ends.
  if (!connected || connected->caller.network == Network::kOther) return std::nullopt;
  // The kernel gives these for tasks that our PID namespace does not have.
  if (connected->caller.process.pid == 0 || connected->caller.process.pid == UINT32_MAX) return std::nullopt;
  const SocketEnds ends = connected->ends;
  const Connected* before = connected_.Find(ends);
  connected->contested = before != nullptr && AtTheSameTime(*before, connected->begun) &&
                         MayBeElsewhere(before->caller, connected->caller);
  connected_.Put(ends, *std::move(connected));
  return ends;
}

}  // namespace sockflow::pcap
