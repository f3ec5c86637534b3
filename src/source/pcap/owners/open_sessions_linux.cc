// SPDX-License-Identifier: MIT
#include <fstream>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "source/pcap/owners/open_sessions.h"
#include "source/pcap/owners/socket_ends.h"

namespace sockflow::pcap {

namespace {

// Who called connect() the kernel does not tell.
class Directions {
 public:
  Directions(const std::vector<SocketFacts>& listening, const std::vector<SocketFacts>& connected) {
    for (const SocketFacts& socket : listening) served_.insert(socket.local.port);
    for (const SocketFacts& socket : connected) inodes_[{socket.local, socket.remote}] = socket.inode;
    std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> first_chosen_;
  }

  Direction Of(const SocketFacts& socket) const {
    return IsAccepted(socket) ? Direction::kPassive : Direction::kActive;
  }

 private:
  bool IsAccepted(const SocketFacts& socket) const {
    if (served_.contains(socket.local.port)) return true;
    // Of two sockets of this host the one that connected was made first.
    const auto peer = inodes_.find({socket.remote, socket.local});
    if (peer != inodes_.end()) return socket.inode == 0 || (peer->second != 0 && socket.inode > peer->second);
    // A port that the system does not choose for who connects; its listener is gone.
    return socket.local.port < first_chosen_;
  }

  absl::flat_hash_set<uint16_t> served_;
  absl::flat_hash_map<SocketEnds, uint32_t> inodes_;
  uint16_t first_chosen_ = 32'768;
};

}  // namespace

absl::StatusOr<std::vector<OpenSession>> FindOpenSessions(SocketTables& tables, const SocketHolders& holders,
                                                          ProcessReader& reader) {
  absl::StatusOr<std::vector<SocketFacts>> listening = tables.Listening();
  if (!listening.ok()) return listening.status();
  absl::StatusOr<std::vector<SocketFacts>> connected = tables.Connected();
  if (!connected.ok()) return connected.status();

  const Directions directions(*listening, *connected);
  absl::flat_hash_map<uint32_t, uint32_t> pid_of;  // by inode
  for (const SocketFacts& socket : *connected) {
    if (socket.inode != 0) pid_of[socket.inode] = 0;
  }
  if (!pid_of.empty()) {
    // The newest come first: what is left is the oldest.
    for (const uint32_t pid : holders.Processes()) {
      holders.ForEachSocket(pid, [&](int, uint32_t inode) {
        if (const auto found = pid_of.find(inode); found != pid_of.end()) found->second = pid;
        return true;
      });
    }
  }

  absl::flat_hash_map<uint32_t, std::optional<Process>> processes;  // by pid
  std::vector<OpenSession> sessions;
  sessions.reserve(connected->size());
  for (const SocketFacts& socket : *connected) {
    OpenSession session{
        .direction = directions.Of(socket),
        .local = socket.local,
        .remote = socket.remote,
        .socket_cookie = socket.cookie};
    const auto holder = pid_of.find(socket.inode);
    if (holder != pid_of.end() && holder->second != 0) {
      const auto [process, is_new] = processes.try_emplace(holder->second);
      if (is_new) {
        if (auto facts = reader.Read(holder->second)) process->second = std::move(facts->process);
      }
      session.process = process->second;
    }
    sessions.push_back(std::move(session));
  }
  return sessions;
}

}  // namespace sockflow::pcap
