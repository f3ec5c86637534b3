// SPDX-License-Identifier: MIT
#include "transport/socket.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "fmt/format.h"

namespace sockflow::transport {
namespace {

static_assert(sizeof(sockaddr_storage) <= sizeof(SocketAddress::octets));

const sockaddr* AsSockaddr(const SocketAddress& address) {
  return reinterpret_cast<const sockaddr*>(address.octets.data());
}

template <typename T>
T As(const SocketAddress& address) {
  T value;
  std::memcpy(&value, address.octets.data(), sizeof(value));
  return value;
}

}  // namespace

std::string SocketAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = "?";
  if (!is_v6()) {
    const auto v4 = As<sockaddr_in>(*this);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    return fmt::format("{}:{}", text, port());
  }
  const auto v6 = As<sockaddr_in6>(*this);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, text, sizeof(text));
    return fmt::format("{}:{}", text, port());
  }
  inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
  // The same link-local address may be a different host on every link.
  if (v6.sin6_scope_id != 0) return fmt::format("[{}%{}]:{}", text, v6.sin6_scope_id, port());
  return fmt::format("[{}]:{}", text, port());
}

uint16_t SocketAddress::port() const {
  // The port stands at the same place in both families.
  return ntohs(As<sockaddr_in>(*this).sin_port);
}

bool SocketAddress::is_v6() const { return AsSockaddr(*this)->sa_family == AF_INET6; }

bool SocketAddress::operator==(const SocketAddress& other) const {
  return length == other.length &&
         std::equal(octets.begin(), octets.begin() + length, other.octets.begin());
}

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<std::vector<SocketAddress>> Resolve(const Url& url, Purpose purpose) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  // Not AI_ADDRCONFIG for an address: it would refuse ::1 on a host that has no other IPv6 address.
  hints.ai_flags = AI_NUMERICSERV;
  if (purpose == Purpose::kListen) hints.ai_flags |= AI_PASSIVE;
  if (url.host.empty() || IsAddress(url.host)) {
    hints.ai_flags |= AI_NUMERICHOST;
  } else {
    hints.ai_flags |= AI_ADDRCONFIG;
  }
  addrinfo* list = nullptr;
  const int error = getaddrinfo(url.host.empty() ? nullptr : url.host.c_str(),
                                std::to_string(url.port).c_str(), &hints, &list);
  if (error != 0) {
    return absl::UnavailableError(fmt::format(
        "host {} cannot be looked up: {}; check the name and the resolver (/etc/resolv.conf), or "
        "use an address",
        url.host, error == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, &freeaddrinfo);
  std::vector<SocketAddress> addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_addrlen > sizeof(SocketAddress::octets)) continue;
    SocketAddress address;
    std::memcpy(address.octets.data(), entry->ai_addr, entry->ai_addrlen);
    address.length = entry->ai_addrlen;
    addresses.push_back(address);
  }
  // "::" first: one socket of it takes IPv4 too.
  if (url.host.empty()) {
    std::stable_partition(addresses.begin(), addresses.end(),
                          [](const SocketAddress& address) { return address.is_v6(); });
  }
  if (addresses.empty()) {
    return absl::UnavailableError(fmt::format("host {} has no address; check the name", url.host));
  }
  return addresses;
}

Socket OpenUdp(const SocketAddress& address, int& error) {
  Socket opened(socket(AsSockaddr(address)->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                       IPPROTO_UDP));
  error = opened ? 0 : errno;
  return opened;
}

Socket OpenUdpSender(const SocketAddress& address, int& error) {
  Socket opened = OpenUdp(address, error);
  if (!opened) return opened;
  // Failures of these are no reason not to send.
  const int octets = 1 << 20;  // the kernel cuts it down to net.core.wmem_max
  setsockopt(opened.fd(), SOL_SOCKET, SO_SNDBUF, &octets, sizeof(octets));
  if (address.is_v6()) {
    const int discover = IPV6_PMTUDISC_DO;
    setsockopt(opened.fd(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, &discover, sizeof(discover));
  } else {
    const int discover = IP_PMTUDISC_DO;
    setsockopt(opened.fd(), IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof(discover));
  }
  return opened;
}

int Connect(const Socket& socket, const SocketAddress& address) {
  return connect(socket.fd(), AsSockaddr(address), address.length) == 0 ? 0 : errno;
}

size_t LargestPayload(const Socket& socket, const SocketAddress& address) {
  int mtu = 0;
  socklen_t length = sizeof(mtu);
  const bool v6 = address.is_v6();
  const int result = v6 ? getsockopt(socket.fd(), IPPROTO_IPV6, IPV6_MTU, &mtu, &length)
                        : getsockopt(socket.fd(), IPPROTO_IP, IP_MTU, &mtu, &length);
  // IP header without options and UDP header; 65,507 is what IPv4's length field leaves, and
  // 65,527 what UDP's does.
  const int headers = v6 ? 48 : 28;
  if (result != 0 || mtu <= headers) return 0;
  return static_cast<size_t>(std::min(mtu - headers, v6 ? 65527 : 65507));
}

Socket OpenTcp(const SocketAddress& address, int& error) {
  Socket opened(socket(AsSockaddr(address)->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                       IPPROTO_TCP));
  error = opened ? 0 : errno;
  if (!opened) return opened;
  const auto set = [&opened](int level, int option, int value) {
    setsockopt(opened.fd(), level, option, &value, sizeof(value));  // a failure is no reason to stop
  };
  // Messages come in batches, each a write of its own: there is nothing to wait for.
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  // A host that vanished says nothing. An idle connection is probed after 30 s.
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  // Probes are not sent while octets wait for their acknowledgement, where the kernel would try for a
  // quarter of an hour. This also ends a connection whose peer reads nothing for as long.
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 60'000);
  return opened;
}

int ConnectError(const Socket& socket, const SocketAddress& address) {
  int error = 0;
  socklen_t length = sizeof(error);
  if (getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  if (error != 0) return error;
  // A port of this host on which nothing listens may be the one that this socket was given: it is
  // then connected to itself.
  SocketAddress own;
  own.length = static_cast<uint32_t>(own.octets.size());
  getsockname(socket.fd(), reinterpret_cast<sockaddr*>(own.octets.data()), &own.length);
  return own == address ? ECONNREFUSED : 0;
}

int WriteNow(const Socket& socket, std::span<const std::span<const uint8_t>> parts,
             size_t& written) {
  std::array<iovec, 64> vectors;
  const size_t count = std::min(parts.size(), vectors.size());
  for (size_t i = 0; i < count; ++i) {
    vectors[i] = {const_cast<uint8_t*>(parts[i].data()), parts[i].size()};  // it is only read
  }
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  ssize_t sent;
  do {
    sent = sendmsg(socket.fd(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  written = sent < 0 ? 0 : static_cast<size_t>(sent);
  return sent < 0 ? errno : 0;
}

namespace {

int Receive(const Socket& socket, void* octets, size_t most, int flags, size_t& taken) {
  ssize_t received;
  do {
    received = recv(socket.fd(), octets, most, MSG_DONTWAIT | flags);
  } while (received < 0 && errno == EINTR);
  taken = received < 0 ? 0 : static_cast<size_t>(received);
  return received < 0 ? errno : 0;
}

}  // namespace

int ReadNow(const Socket& socket, std::span<uint8_t> octets, size_t& taken) {
  return Receive(socket, octets.data(), octets.size(), 0, taken);
}

int DiscardNow(const Socket& socket, size_t most, size_t& taken) {
  return Receive(socket, nullptr, most, MSG_TRUNC, taken);  // tcp(7): copies nothing
}

uint64_t UnacknowledgedOctets(const Socket& socket) {
  int octets = 0;
  // write_seq - snd_una, which a reset leaves as they were (tcp_done, tcp_write_queue_purge).
  if (ioctl(socket.fd(), SIOCOUTQ, &octets) != 0) return 0;
  return static_cast<uint64_t>(octets);
}

bool ShutDownWriting(const Socket& socket) { return shutdown(socket.fd(), SHUT_WR) == 0; }

}  // namespace sockflow::transport
