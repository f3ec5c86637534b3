// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "source/pcap/owners/file_descriptor_linux.h"
#include "sockflow/session_event.h"

namespace sockflow::pcap {

// A TCP socket of the host.
struct SocketFacts {
  Endpoint local;
  Endpoint remote;
  uint32_t inode = 0;  // 0: no descriptor was ever made for it (not accepted yet), or it is closed
  uint32_t uid = 0;    // who made it
  uint32_t interface = 0;  // bound to it; 0: none
  uint64_t cookie = 0;
  TcpState state = TcpState::kUnknown;
  bool only_v6 = false;  // a listening IPv6 socket that takes no IPv4
};

// Asks the kernel for its sockets (sock_diag(7)), those of this network namespace. Needs no capability.
class SocketTables {
 public:
  static absl::StatusOr<SocketTables> Open();

  // The socket with these ends that is not listening; nullopt: there is none, or it is past its close.
  // Takes microseconds.
  std::optional<SocketFacts> Find(const Endpoint& local, const Endpoint& remote);

  // The socket that listens there (one of them).
  std::optional<SocketFacts> FindListening(const Endpoint& local);

  // All listening sockets.
  absl::StatusOr<std::vector<SocketFacts>> Listening();

  // All sockets of sessions that are past their SYN and not over.
  absl::StatusOr<std::vector<SocketFacts>> Connected();

 private:
  explicit SocketTables(FileDescriptor netlink) : netlink_(std::move(netlink)) {}
  // Where none has these ends the kernel answers with one that listens at `local`.
  std::optional<SocketFacts> Ask(const Endpoint& local, const Endpoint& remote);
  absl::StatusOr<std::vector<SocketFacts>> List(uint32_t states);
  absl::Status List(uint8_t family, uint32_t states, std::vector<SocketFacts>& sockets);

  FileDescriptor netlink_;
  uint32_t sequence_ = 0;
};

}  // namespace sockflow::pcap
