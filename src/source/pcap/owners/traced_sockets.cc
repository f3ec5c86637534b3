// SPDX-License-Identifier: MIT
#include "source/pcap/owners/traced_sockets.h"

#include <utility>

namespace sockflow::pcap {
namespace {

// Packets and records are stamped at different places, packets perhaps in microseconds.
constexpr Duration kSlack = std::chrono::milliseconds(2);

SocketEnds EndsOf(const StateChange& change) { return {change.local, change.remote}; }

}  // namespace

std::optional<SocketEnds> TracedSockets::Apply(const StateChange& change, Time at,
                                               absl::FunctionRef<bool(const SocketEnds&)> is_watched) {
  if (change.to == TcpState::kSynSent) {
    // A port that was chosen with bind(): whoever used these ends before is done.
    if (change.local.port != 0) Erase(EndsOf(change));
    return Keep(join_.Begin(change, Caller(change, at), at));
  }
  if (change.from == TcpState::kSynSent) return Keep(join_.Answer(change, at));
  if (change.from == TcpState::kSynRecv && change.to == TcpState::kEstablished) {
    // In the context of whatever the packet interrupted: its process says nothing.
    answered_.Put(EndsOf(change), {.established = at});
    return EndsOf(change);
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
    answered->closer = processes_.Describe(change.pid, change.thread_id, at);
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

std::optional<SocketEnds> TracedSockets::Keep(std::optional<Connected> connected) {
  // Another network namespace may have sockets with the same ends.
  if (!connected || !connected->caller.our_network) return std::nullopt;
  // The kernel gives these for tasks that our PID namespace does not have.
  if (connected->caller.process.pid == 0 || connected->caller.process.pid == UINT32_MAX) return std::nullopt;
  const SocketEnds ends = connected->ends;
  connected_.Put(ends, *std::move(connected));
  return ends;
}

}  // namespace sockflow::pcap
