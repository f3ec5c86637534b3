// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

#include "absl/functional/function_ref.h"
#include "source/pcap/owners/connect_join.h"
#include "source/pcap/owners/kernel_records.h"
#include "source/pcap/owners/process_table.h"
#include "source/pcap/owners/socket_ends.h"

namespace sockflow::pcap {

// A session that the host answered, as far as the kernel told.
struct Answered {
  std::optional<Time> established;
  uint64_t socket = 0;     // the one that was established
  bool contested = false;  // as Connected::contested
  // Who ended its sending, by a call of its own or as it died.
  std::optional<ProcessFacts> closer;
  std::optional<Time> closer_begun;  // if that was seen
  // The one process that listened as the handshake was done; it may be gone since.
  std::optional<uint32_t> listener;
  // In whose context it was closed without that: who reset it, or anybody if it was the peer.
  std::optional<ProcessFacts> aborter;
};

// What the kernel told of sockets lately, by their ends. Knows no host.
class TracedSockets {
 public:
  explicit TracedSockets(ProcessTable& processes) : processes_(processes) {}

  // The ends of the socket of which something became known, if any. `is_watched`: whether what closes a
  // socket is of interest though its beginning was long ago.
  std::optional<SocketEnds> Apply(const StateChange& change, Time at,
                                  absl::FunctionRef<bool(const SocketEnds&)> is_watched);

  // The session whose first packet came at this time; not one that had the same ends before it.
  const Connected* FindConnected(const SocketEnds& ends, Time at);
  void NoteListener(const SocketEnds& ends, std::optional<uint32_t> pid);
  const Answered* FindAnswered(const SocketEnds& ends, Time at);
  void Erase(const SocketEnds& ends);

  // Records were lost.
  void Clear();

 private:
  ProcessFacts Caller(const StateChange& change, Time at);
  void Supersede(const SocketEnds& ends, const ProcessFacts& caller, Time at);
  std::optional<SocketEnds> Keep(std::optional<Connected> connected);

  static constexpr size_t kCapacity = 16'384;

  ProcessTable& processes_;
  ConnectJoin join_;
  Recent<SocketEnds, Connected> connected_{kCapacity};
  Recent<SocketEnds, Answered> answered_{kCapacity};
};

}  // namespace sockflow::pcap
