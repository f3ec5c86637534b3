// SPDX-License-Identifier: MIT
#include "transport/tcp_listener.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "transport/cannot_listen.h"

namespace sockflow::transport {
namespace {

// Who comes while so many wait tries again (TCP sends its SYN once more).
constexpr int kBacklog = 16;

// An errno value; 0: it listens.
int Listen(const Socket& socket, const SocketAddress& address) {
  const int on = 1, off = 0;
  // Sessions of before a restart may linger in TIME_WAIT. A port that somebody listens on stays in use.
  setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.is_v6()) {
    // [::] takes IPv4 too, whatever net.ipv6.bindv6only says.
    setsockopt(socket.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  }
  if (bind(socket.fd(), reinterpret_cast<const sockaddr*>(address.octets.data()), address.length) != 0) {
    return errno;
  }
  return listen(socket.fd(), kBacklog) == 0 ? 0 : errno;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TcpListener>> TcpListener::Open(const Url& url) {
  const absl::StatusOr<std::vector<SocketAddress>> addresses = Resolve(url, Purpose::kListen);
  if (!addresses.ok()) {
    return absl::Status(addresses.status().code(),
                        fmt::format("cannot listen on {}: {}", url.ToString(),
                                    std::string(addresses.status().message())));
  }
  int first_error = 0;
  for (const SocketAddress& address : *addresses) {
    int error = 0;
    Socket opened = OpenTcp(address, error);
    if (error == 0) error = Listen(opened, address);
    if (error == 0) {
      SocketAddress bound;
      bound.length = static_cast<uint32_t>(bound.octets.size());
      getsockname(opened.fd(), reinterpret_cast<sockaddr*>(bound.octets.data()), &bound.length);
      std::unique_ptr<TcpListener> listener(new TcpListener(std::move(opened)));
      listener->name_ = bound.ToString();
      listener->port_ = bound.port();
      return listener;
    }
    if (first_error == 0) first_error = error;
    // Without a host, IPv4 stands in for an IPv6 that is switched off, but not for a port in use.
    if (error != EAFNOSUPPORT && error != EADDRNOTAVAIL) break;
  }
  return CannotListen(url, first_error);
}

Socket TcpListener::Accept(int& error) {
  Socket accepted(accept4(socket_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  error = accepted ? 0 : errno;
  return accepted;
}

}  // namespace sockflow::transport
