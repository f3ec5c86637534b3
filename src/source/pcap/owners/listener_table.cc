// SPDX-License-Identifier: MIT
#include "source/pcap/owners/listener_table.h"

#include <algorithm>
#include <utility>

namespace sockflow::pcap {
namespace {

// More are not looked at one by one for one session: a server of many processes.
constexpr size_t kMostAsked = 8;

bool IsWildcard(const IpAddress& address) {
  for (const uint8_t octet : address.octets()) {
    if (octet != 0) return false;
  }
  return true;
}

bool Takes(const ListeningSocket& socket, const Endpoint& local) {
  if (socket.local.port != local.port) return false;
  if (socket.local.address == local.address) return true;
  if (!IsWildcard(socket.local.address)) return false;
  return socket.local.address.is_v4() == local.address.is_v4() ||
         (local.address.is_v4() && !socket.only_v6);
}

}  // namespace

void ListenerTable::Listen(ListeningSocket socket) {
  Note({.kind = Change::Kind::kListen, .socket = std::move(socket)});
}

void ListenerTable::Close(uint64_t kernel_address, const Endpoint& local) {
  ListeningSocket socket;
  socket.kernel_address = kernel_address;
  socket.local = local;
  Note({.kind = Change::Kind::kClose, .socket = std::move(socket)});
}

void ListenerTable::Fork(uint32_t parent, uint32_t child) {
  if (holders_.contains(parent) || listing_) Note({.kind = Change::Kind::kFork, .pid = parent, .child = child});
}

void ListenerTable::Exit(uint32_t pid) {
  if (holders_.contains(pid) || listing_) Note({.kind = Change::Kind::kExit, .pid = pid});
}

void ListenerTable::BeginList() {
  listing_ = true;
  since_.clear();
}

void ListenerTable::Replace(std::vector<ListeningSocket> sockets) {
  // The list does not know the kernel's addresses.
  for (ListeningSocket& socket : sockets) {
    for (const ListeningSocket& known : sockets_) {
      if (known.inode == socket.inode) socket.kernel_address = known.kernel_address;
    }
  }
  sockets_ = std::move(sockets);
  holders_.clear();
  for (const ListeningSocket& socket : sockets_) holders_.insert(socket.holders.begin(), socket.holders.end());
  listing_ = false;
  for (const Change& change : std::exchange(since_, {})) Do(change);
}

ListenerTable::Acceptors ListenerTable::WhoAccepts(const Endpoint& local, Holds holds) {
  const std::vector<ListeningSocket*> sockets = For(local);
  std::vector<uint32_t> all;
  for (ListeningSocket* socket : sockets) {
    if (socket->holders.size() > 1 && socket->holders.size() <= kMostAsked && socket->inode != 0) {
      std::erase_if(socket->holders, [&](uint32_t pid) { return !holds(pid, socket->inode); });
    }
    if (socket->holders.empty()) return {.certainty = Certainty::kUnseen};
    for (const uint32_t pid : socket->holders) {
      if (std::find(all.begin(), all.end(), pid) == all.end()) all.push_back(pid);
    }
  }
  if (all.empty()) return {.certainty = Certainty::kNobody};
  if (all.size() > 1) return {.certainty = Certainty::kSeveral};
  return {.certainty = Certainty::kKnown, .pid = all.front()};
}

std::optional<uint32_t> ListenerTable::SoleHolder(const Endpoint& local) {
  std::optional<uint32_t> sole;
  for (const ListeningSocket* socket : For(local)) {
    if (socket->holders.size() != 1 || (sole && *sole != socket->holders.front())) {
      return std::nullopt;
    }
    sole = socket->holders.front();
  }
  return sole;
}

bool ListenerTable::IsListed(uint32_t pid, const Endpoint& local) {
  return std::ranges::any_of(For(local), [pid](const ListeningSocket* socket) {
    return std::ranges::find(socket->holders, pid) != socket->holders.end();
  });
}

bool ListenerTable::MayAccept(uint32_t pid, const Endpoint& local, Holds holds) {
  for (const ListeningSocket* socket : For(local)) {
    if (socket->inode != 0 ? holds(pid, socket->inode)
                           : std::find(socket->holders.begin(), socket->holders.end(), pid) !=
                                 socket->holders.end()) {
      return true;
    }
  }
  return false;
}

void ListenerTable::Note(Change change) {
  Do(change);
  if (listing_) since_.push_back(std::move(change));
}

void ListenerTable::Do(const Change& change) {
  switch (change.kind) {
    case Change::Kind::kListen: {
      const auto same = [&](const ListeningSocket& s) {
        return (s.inode != 0 && s.inode == change.socket.inode) ||
               (s.kernel_address != 0 && s.kernel_address == change.socket.kernel_address);
      };
      const auto known = std::find_if(sockets_.begin(), sockets_.end(), same);
      holders_.insert(change.socket.holders.begin(), change.socket.holders.end());
      if (known == sockets_.end()) {
        sockets_.push_back(change.socket);
        return;
      }
      for (const uint32_t pid : change.socket.holders) {
        if (std::find(known->holders.begin(), known->holders.end(), pid) == known->holders.end()) {
          known->holders.push_back(pid);
        }
      }
      known->kernel_address = change.socket.kernel_address;
      return;
    }
    case Change::Kind::kClose: {
      const auto by_address = [&](const ListeningSocket& s) {
        return s.kernel_address == change.socket.kernel_address;
      };
      if (std::erase_if(sockets_, by_address) != 0) return;
      // One that is older than we are. Several at one place: the next list tells which one it was.
      const auto by_place = [&](const ListeningSocket& s) {
        return s.kernel_address == 0 && s.local == change.socket.local;
      };
      if (std::count_if(sockets_.begin(), sockets_.end(), by_place) == 1) std::erase_if(sockets_, by_place);
      return;
    }
    case Change::Kind::kFork:
      for (ListeningSocket& socket : sockets_) {
        const auto begin = socket.holders.begin();
        const auto end = socket.holders.end();
        if (std::find(begin, end, change.pid) == end) continue;
        if (std::find(begin, end, change.child) == end) socket.holders.push_back(change.child);
        holders_.insert(change.child);
      }
      return;
    case Change::Kind::kExit:
      holders_.erase(change.pid);
      for (ListeningSocket& socket : sockets_) {
        const auto end = std::remove(socket.holders.begin(), socket.holders.end(), change.pid);
        socket.holders.erase(end, socket.holders.end());
      }
      return;
  }
}

std::vector<ListeningSocket*> ListenerTable::For(const Endpoint& local) {
  std::vector<ListeningSocket*> sockets;
  bool exact = false;
  bool bound = false;
  for (ListeningSocket& socket : sockets_) {
    if (!Takes(socket, local)) continue;
    sockets.push_back(&socket);
    exact |= socket.local.address == local.address && !socket.bound_to_interface;
    bound |= socket.bound_to_interface;
  }
  // The kernel prefers a socket of the very address to a wildcard, one of the interface to both.
  if (exact && !bound) {
    std::erase_if(sockets, [&](const ListeningSocket* s) { return s->local.address != local.address; });
  }
  return sockets;
}

}  // namespace sockflow::pcap
