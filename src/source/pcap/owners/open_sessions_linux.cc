// SPDX-License-Identifier: MIT
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "source/pcap/owners/open_sessions.h"

namespace sockflow::pcap {

absl::StatusOr<std::vector<OpenSession>> FindOpenSessions(SocketTables& tables, const SocketHolders& holders,
                                                          ProcessReader& reader) {
  absl::StatusOr<std::vector<SocketFacts>> listening = tables.Listening();
  if (!listening.ok()) return listening.status();
  absl::StatusOr<std::vector<SocketFacts>> connected = tables.Connected();
  if (!connected.ok()) return connected.status();

  absl::flat_hash_set<uint16_t> served;
  for (const SocketFacts& socket : *listening) served.insert(socket.local.port);

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
        .direction = served.contains(socket.local.port) ? Direction::kPassive : Direction::kActive,
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
