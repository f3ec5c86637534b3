// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "source/pcap/owners/host_scan.h"
#include "source/pcap/owners/listener_table.h"
#include "source/pcap/owners/process_table.h"
#include "source/pcap/owners/socket_search.h"
#include "source/pcap/owners/socket_tables.h"
#include "source/pcap/owners/traced_sockets.h"

namespace sockflow::pcap {

// Who accepted a session: who listens for it, corrected by what the sockets themselves told.
class Acceptors {
 public:
  Acceptors(ProcessTable& processes, SocketSearch& search, HostScan& scan)
      : processes_(processes), search_(search), scan_(scan) {}

  // `traced`: beginnings and ends of processes and of listening will be told; if not, lists are asked for
  // again and again.
  void Begin(Time now, bool traced);

  // What the kernel told.
  void Apply(const KernelRecord& record, std::optional<SocketTables>& tables);
  // Asks for a list that was wanted too soon after the one before.
  void Poll(Time now) {
    if (now >= due_) Refresh(now, Duration::zero());
  }
  Time NextDeadline() const { return in_flight_ ? Time::max() : due_; }

  // Some of it was lost: nothing is known until there is a new list.
  void Distrust(Time now);
  // A new list is there.
  void Replace(std::vector<ListeningSocket> sockets, Time now);

  // The one process that can accept a session with this local end now; nullopt: several can, or it is not
  // known yet.
  std::optional<uint32_t> Listener(const Endpoint& local, Time now);

  // The same at the moment of the last record, as far as was told: the host is not asked.
  std::optional<uint32_t> ListedListener(const Endpoint& local) {
    return trusted_ && traced_ ? listeners_.SoleHolder(local) : std::nullopt;
  }

  // Whether the process that ended its sending is the one that accepted it. Others may: a child that
  // was forked afterwards, whoever it was passed to.
  bool IsAcceptor(const Endpoint& local, Time accepted, const Answered& answered, Time now);

  // Whether the process has a socket that listens there.
  bool MayAccept(uint32_t pid, const Endpoint& local);

 private:
  // Asks for a new list if the last one is as old.
  void Refresh(Time now, Duration oldest);
  // Without being told: whether no child has the listening socket too.
  bool IsAlone(uint32_t pid, const Endpoint& local);
  void OnListen(const StateChange& change, Time at, SocketTables& tables);

  ProcessTable& processes_;
  SocketSearch& search_;
  HostScan& scan_;
  bool traced_ = false;
  bool trusted_ = true;
  ListenerTable listeners_;
  Time listed_{};           // when the last list was asked for
  Time due_ = Time::max();  // when another one is to be
  bool in_flight_ = false;  // it is not there yet
  bool again_ = false;      // what it will say is out of date already
};

}  // namespace sockflow::pcap
