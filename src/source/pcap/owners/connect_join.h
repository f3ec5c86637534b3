// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "source/pcap/owners/kernel_records.h"
#include "source/pcap/owners/process_table.h"
#include "source/pcap/owners/socket_ends.h"

namespace sockflow::pcap {

// A connect() of which both is known: who called it, and from which port.
struct Connected {
  SocketEnds ends;
  ProcessFacts caller;
  Time begun{};     // before its SYN left
  Time answered{};  // or given up
  bool established = false;
  // Another process made a socket with these ends just then, and nothing proves which of the two is in our
  // network: neither is to be told.
  bool contested = false;
};

// Joins the two moments of a connect(): CLOSE->SYN_SENT runs in the caller's context, but the port is
// chosen afterwards; the next change of the same socket, in anybody's context, has the port.
class ConnectJoin {
 public:
  // CLOSE->SYN_SENT. The result is there if the records came in the wrong order.
  std::optional<Connected> Begin(const StateChange& change, const ProcessFacts& caller, Time at);
  // SYN_SENT->something.
  std::optional<Connected> Answer(const StateChange& change, Time at);

  // Records were lost: what comes next may be of other sockets at the same addresses.
  void Clear();

 private:
  struct Pending {
    StateChange change;
    ProcessFacts caller;
    Time at;
  };
  struct Early {
    StateChange change;
    Time at;
  };
  static constexpr size_t kCapacity = 16'384;

  // By the socket's address in the kernel.
  Recent<uint64_t, Pending> pending_{kCapacity};
  Recent<uint64_t, Early> early_{kCapacity / 16};
};

}  // namespace sockflow::pcap
