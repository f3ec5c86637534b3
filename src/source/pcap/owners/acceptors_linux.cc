// SPDX-License-Identifier: MIT
#include <algorithm>
#include <utility>

#include "source/pcap/owners/acceptors.h"
#include "source/pcap/owners/process_facts.h"

namespace sockflow::pcap {
namespace {

// Without the tracepoint forks and new listeners show in a new list only.
constexpr Duration kListIsOld = std::chrono::seconds(10);
constexpr Duration kListAgain = std::chrono::seconds(1);

}  // namespace

void Acceptors::Begin(Time now, bool traced) {
  traced_ = traced;
  Refresh(now, Duration::zero());
}

void Acceptors::Apply(const KernelRecord& record, std::optional<SocketTables>& tables) {
  if (const auto* change = std::get_if<StateChange>(&record.what)) {
    if (change->to == TcpState::kListen && tables) OnListen(*change, record.at, *tables);
    if (change->from == TcpState::kListen) listeners_.Close(change->socket, change->local);
  } else if (const auto* start = std::get_if<TaskStart>(&record.what)) {
    if (start->pid != start->parent_pid) listeners_.Fork(start->parent_pid, start->pid);
  } else if (const auto* end = std::get_if<TaskEnd>(&record.what)) {
    if (end->pid == end->thread_id) listeners_.Exit(end->pid);
  }
}

void Acceptors::OnListen(const StateChange& change, Time at, SocketTables& tables) {
  // Also tells whether it is in our network namespace at all.
  const std::optional<SocketFacts> socket = tables.FindListening(change.local);
  if (!socket) {
    // A server that served one session is gone before its record is read: what was told has to do.
    const std::optional<ProcessFacts> facts = processes_.Describe(change.pid, change.thread_id, at);
    if (!facts || facts->network == Network::kOther) return;
    return listeners_.Listen(
        {.local = change.local, .kernel_address = change.socket, .holders = {change.pid}});
  }
  ListeningSocket listening = {.local = change.local,
                               .only_v6 = socket->only_v6,
                               .bound_to_interface = socket->interface != 0,
                               .uid = socket->uid,
                               .kernel_address = change.socket,
                               .holders = {change.pid}};
  // SO_REUSEPORT: the one that was found may be another's.
  if (search_.MayHold(change.pid, socket->inode)) {
    listening.inode = socket->inode;
  } else {
    Refresh(at, kListAgain);
  }
  listeners_.Listen(std::move(listening));
}

void Acceptors::Distrust(Time now) {
  again_ = in_flight_;
  Refresh(now, Duration::zero());
  trusted_ = false;
}

void Acceptors::Replace(std::vector<ListeningSocket> sockets, Time now) {
  listeners_.Replace(std::move(sockets));
  in_flight_ = false;
  trusted_ = !again_;
  if (std::exchange(again_, false)) Refresh(now, Duration::zero());
}

void Acceptors::Refresh(Time now, Duration oldest) {
  if (in_flight_ || now - listed_ < oldest) {
    due_ = std::min(due_, listed_ + oldest);
    return;
  }
  in_flight_ = true;
  listed_ = now;
  due_ = Time::max();
  listeners_.BeginList();
  scan_.ListListening();
}

std::optional<uint32_t> Acceptors::Listener(const Endpoint& local, Time now) {
  if (!traced_) Refresh(now, kListIsOld);
  const ListenerTable::Acceptors acceptors = listeners_.WhoAccepts(
      local, [this](uint32_t pid, uint32_t inode) { return search_.MayHold(pid, inode); });
  switch (acceptors.certainty) {
    case ListenerTable::Certainty::kNobody:
      Refresh(now, kListAgain);
      return std::nullopt;
    case ListenerTable::Certainty::kUnseen:
      Refresh(now, kListIsOld);
      return std::nullopt;
    case ListenerTable::Certainty::kSeveral:
      return std::nullopt;
    case ListenerTable::Certainty::kKnown:
      break;
  }
  if (!trusted_ || (!traced_ && !IsAlone(acceptors.pid, local))) return std::nullopt;
  return acceptors.pid;
}

bool Acceptors::IsAlone(uint32_t pid, const Endpoint& local) {
  if (!MayAccept(pid, local)) return false;  // not any more
  constexpr size_t kMostChildren = 8;
  const std::optional<std::vector<uint32_t>> children = search_.ChildrenOf(pid);
  if (!children || children->size() > kMostChildren) return false;
  return std::none_of(children->begin(), children->end(),
                      [&](uint32_t child) { return MayAccept(child, local); });
}

bool Acceptors::MayAccept(uint32_t pid, const Endpoint& local) {
  return listeners_.MayAccept(
      pid, local, [this](uint32_t p, uint32_t inode) { return search_.MayHold(p, inode); });
}

bool Acceptors::IsAcceptor(const Endpoint& local, Time accepted, const Answered& answered, Time now) {
  const Process& closer = answered.closer->process;
  if (answered.closer_begun && *answered.closer_begun >= accepted) return false;
  if (answered.listener == closer.pid) {
    return answered.closer_begun || !SurelyBeganAfter(closer, accepted);
  }
  const bool listed = listeners_.IsListed(closer.pid, local);
  const std::optional<uint32_t> listener = Listener(local, now);
  if (listener == closer.pid) return answered.closer_begun || !SurelyBeganAfter(closer, accepted);
  // One that closed the session as it died has closed the listening socket with it.
  const auto died = [&] { return trusted_ && listed && search_.IsGone(closer.pid); };
  if (MayAccept(closer.pid, local) || died()) return answered.closer_begun || SurelyBeganBefore(closer, accepted);
  // Closed by a stranger: the listening socket may have been passed on.
  if (listener && !processes_.DescendsFrom(closer.pid, *listener)) Refresh(now, kListIsOld);
  return false;
}

}  // namespace sockflow::pcap
