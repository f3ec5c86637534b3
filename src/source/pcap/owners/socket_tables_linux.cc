// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "source/pcap/owners/socket_tables.h"

namespace sockflow::pcap {
namespace {

struct Request {
  nlmsghdr header{};
  inet_diag_req_v2 body{};
};

// IPv4-mapped where the family is IPv6.
void PutAddress(uint8_t family, const IpAddress& address, __be32 (&out)[4]) {
  uint8_t* octets = reinterpret_cast<uint8_t*>(out);
  if (address.is_v4() && family == AF_INET6) {
    octets[10] = octets[11] = 0xff;
    octets += 12;
  }
  std::memcpy(octets, address.octets().data(), address.octets().size());
}

IpAddress GetAddress(uint8_t family, const __be32 (&in)[4]) {
  const uint8_t* octets = reinterpret_cast<const uint8_t*>(in);
  return family == AF_INET ? IpAddress::V4(std::span<const uint8_t, 4>(octets, 4))
                           : IpAddress::V6(std::span<const uint8_t, 16>(octets, 16));
}

SocketFacts ReadSocket(const nlmsghdr* header) {
  const auto* message = static_cast<const inet_diag_msg*>(NLMSG_DATA(header));
  SocketFacts facts;
  facts.local = {GetAddress(message->idiag_family, message->id.idiag_src), ntohs(message->id.idiag_sport)};
  facts.remote = {GetAddress(message->idiag_family, message->id.idiag_dst), ntohs(message->id.idiag_dport)};
  facts.inode = message->idiag_inode;
  facts.uid = message->idiag_uid;
  facts.interface = message->id.idiag_if;
  facts.cookie = uint64_t{message->id.idiag_cookie[1]} << 32 | message->id.idiag_cookie[0];
  facts.state = static_cast<TcpState>(message->idiag_state);
  const auto* attribute = reinterpret_cast<const rtattr*>(message + 1);
  int left = static_cast<int>(header->nlmsg_len - NLMSG_LENGTH(sizeof(*message)));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type == INET_DIAG_SKV6ONLY && RTA_PAYLOAD(attribute) >= 1) {
      facts.only_v6 = *static_cast<const uint8_t*>(RTA_DATA(attribute)) != 0;
    }
  }
  return facts;
}

constexpr uint32_t StateBit(TcpState state) { return 1U << static_cast<int>(state); }

bool HoldsSocket(const nlmsghdr* header) {
  return header->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
         header->nlmsg_len >= NLMSG_LENGTH(sizeof(inet_diag_msg));
}

Request NewRequest(uint8_t family, uint16_t flags, uint32_t sequence) {
  Request request;
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  request.header.nlmsg_seq = sequence;
  request.body.sdiag_family = family;
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.id.idiag_cookie[0] = request.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  return request;
}

}  // namespace

absl::StatusOr<SocketTables> SocketTables::Open() {
  FileDescriptor netlink(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!netlink) {
    return absl::ErrnoToStatus(errno, "cannot ask for sockets (NETLINK_SOCK_DIAG): load inet_diag, or permit "
                                      "AF_NETLINK");
  }
  // The kernel answers as it takes the request; should it ever not, one session stays without owner.
  const timeval patience{.tv_sec = 0, .tv_usec = 100'000};
  setsockopt(netlink.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  return SocketTables(std::move(netlink));
}

std::optional<SocketFacts> SocketTables::Find(const Endpoint& local, const Endpoint& remote) {
  const std::optional<SocketFacts> facts = Ask(local, remote);
  return facts && facts->remote == remote && facts->local == local ? facts : std::nullopt;
}

std::optional<SocketFacts> SocketTables::FindListening(const Endpoint& local) {
  Endpoint nobody;
  if (!local.address.is_v4()) nobody.address = *IpAddress::Parse("::");
  const std::optional<SocketFacts> facts = Ask(local, nobody);
  return facts && facts->state == TcpState::kListen ? facts : std::nullopt;
}

std::optional<SocketFacts> SocketTables::Ask(const Endpoint& local, const Endpoint& remote) {
  // The kernel finds IPv6 sockets with IPv4-mapped addresses by their IPv4 addresses.
  const uint8_t family = local.address.is_v4() ? AF_INET : AF_INET6;
  Request request = NewRequest(family, 0, ++sequence_);
  request.body.idiag_states = ~0U;
  request.body.id.idiag_sport = htons(local.port);
  request.body.id.idiag_dport = htons(remote.port);
  PutAddress(family, local.address, request.body.id.idiag_src);
  PutAddress(family, remote.address, request.body.id.idiag_dst);
  if (send(netlink_.get(), &request, sizeof(request), 0) != sizeof(request)) return std::nullopt;
  alignas(nlmsghdr) char buffer[2048];
  for (;;) {
    const ssize_t length = recv(netlink_.get(), buffer, sizeof(buffer), 0);
    const auto* header = reinterpret_cast<const nlmsghdr*>(buffer);
    if (length < static_cast<ssize_t>(sizeof(nlmsghdr)) || header->nlmsg_len > static_cast<size_t>(length)) {
      return std::nullopt;
    }
    if (header->nlmsg_seq != sequence_) continue;  // late answer to an earlier request
    if (!HoldsSocket(header)) return std::nullopt;
    return ReadSocket(header);
  }
}

absl::StatusOr<std::vector<SocketFacts>> SocketTables::Listening() {
  return List(StateBit(TcpState::kListen));
}

absl::StatusOr<std::vector<SocketFacts>> SocketTables::Connected() {
  auto sockets = List(StateBit(TcpState::kEstablished) | StateBit(TcpState::kFinWait1) |
                      StateBit(TcpState::kFinWait2) | StateBit(TcpState::kCloseWait) |
                      StateBit(TcpState::kLastAck) | StateBit(TcpState::kClosing));
  if (!sockets.ok()) return sockets;
  // What waits out its time is shown in the state that it left, and is no socket any more.
  std::erase_if(*sockets, [](const SocketFacts& socket) {
    return socket.state == TcpState::kFinWait2 && socket.inode == 0;
  });
  return sockets;
}

absl::StatusOr<std::vector<SocketFacts>> SocketTables::List(uint32_t states) {
  std::vector<SocketFacts> sockets;
  for (const uint8_t family : {AF_INET, AF_INET6}) {
    const absl::Status status = List(family, states, sockets);
    if (!status.ok()) return status;
  }
  return sockets;
}

absl::Status SocketTables::List(uint8_t family, uint32_t states, std::vector<SocketFacts>& sockets) {
  Request request = NewRequest(family, NLM_F_DUMP, ++sequence_);
  request.body.idiag_states = states;
  if (send(netlink_.get(), &request, sizeof(request), 0) != sizeof(request)) {
    return absl::ErrnoToStatus(errno, "cannot ask for a list of sockets (NETLINK_SOCK_DIAG)");
  }
  alignas(nlmsghdr) char buffer[32 << 10];
  for (;;) {
    const ssize_t length = recv(netlink_.get(), buffer, sizeof(buffer), 0);
    if (length <= 0) return absl::ErrnoToStatus(errno, "no list of sockets came (NETLINK_SOCK_DIAG)");
    auto left = static_cast<unsigned>(length);
    for (const auto* header = reinterpret_cast<const nlmsghdr*>(buffer); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_seq != sequence_) continue;
      if (header->nlmsg_type == NLMSG_DONE) return absl::OkStatus();
      if (header->nlmsg_type == NLMSG_ERROR) {
        const auto* error = static_cast<const nlmsgerr*>(NLMSG_DATA(header));
        return absl::ErrnoToStatus(-error->error, "the kernel does not list its sockets");
      }
      if (HoldsSocket(header)) sockets.push_back(ReadSocket(header));
    }
  }
}

}  // namespace sockflow::pcap
