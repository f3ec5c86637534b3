// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "sockflow/session_event.h"

namespace sockflow::pcap {

// A socket that listens, and who may accept from it.
struct ListeningSocket {
  Endpoint local;
  bool only_v6 = false;    // an IPv6 wildcard that takes no IPv4
  bool bound_to_interface = false;
  uint32_t uid = 0;  // who made it
  uint32_t inode = 0;
  uint64_t kernel_address = 0;            // 0: not known
  std::vector<uint32_t> holders;  // processes that may have a descriptor of it
};

// Who may accept the sessions that come in. Filled with all listening sockets now and then, kept right
// meanwhile by what the kernel tells of listen(), close(), fork() and exit().
class ListenerTable {
 public:
  // Whether the process has a descriptor of the socket; asked only when several may have one.
  using Holds = absl::FunctionRef<bool(uint32_t pid, uint32_t inode)>;

  enum class Certainty {
    kKnown,    // nobody else can accept it
    kSeveral,  // one of several processes
    kUnseen,   // one that was not seen with the socket
    kNobody,   // no listening socket there is known
  };
  struct Acceptors {
    Certainty certainty = Certainty::kNobody;
    uint32_t pid = 0;  // kKnown
  };

  void Listen(ListeningSocket socket);
  // Its listening is over.
  void Close(uint64_t kernel_address, const Endpoint& local);
  void Fork(uint32_t parent, uint32_t child);
  void Exit(uint32_t pid);

  // A list of all, which was begun when BeginList() was called: what changed since is kept.
  void BeginList();
  void Replace(std::vector<ListeningSocket> sockets);

  // Who will accept a session with this local end.
  Acceptors WhoAccepts(const Endpoint& local, Holds holds);
  // Whether this process has a listening socket that takes sessions with this local end.
  // The one process that is listed with sockets that take sessions there.
  std::optional<uint32_t> SoleHolder(const Endpoint& local);
  // Whether the process is listed with a socket that takes sessions there, as far as was told.
  bool IsListed(uint32_t pid, const Endpoint& local);
  bool MayAccept(uint32_t pid, const Endpoint& local, Holds holds);

  size_t size() const { return sockets_.size(); }

 private:
  struct Change {
    enum class Kind { kListen, kClose, kFork, kExit } kind;
    ListeningSocket socket;
    uint32_t pid = 0, child = 0;
  };

  void Note(Change change);
  void Do(const Change& change);
  // The sockets that the kernel would choose from for this local end.
  std::vector<ListeningSocket*> For(const Endpoint& local);

  std::vector<ListeningSocket> sockets_;
  absl::flat_hash_set<uint32_t> holders_;  // of any; some may hold none any more
  bool listing_ = false;
  std::vector<Change> since_;  // BeginList()
};

}  // namespace sockflow::pcap
