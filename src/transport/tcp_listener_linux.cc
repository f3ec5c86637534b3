// SPDX-License-Identifier: MIT
#include "transport/tcp_listener.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "transport/bound_socket.h"
#include "transport/cannot_listen.h"

namespace sockflow::transport {
namespace {

// Who comes while so many wait tries again (TCP sends its SYN once more).
constexpr int kBacklog = 16;

Socket OpenUnboundTcp(const SocketAddress& address, int& error) {
  Socket opened = OpenTcp(address, error);
  const int on = 1;
  // Sessions of before a restart may linger in TIME_WAIT. A port that somebody listens on stays in use.
  if (error == 0) setsockopt(opened.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  return opened;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TcpListener>> TcpListener::Open(const Url& url) {
  absl::StatusOr<BoundSocket> bound = Bind(url, OpenUnboundTcp);
  if (!bound.ok()) return bound.status();
  if (listen(bound->socket.fd(), kBacklog) != 0) return CannotListen(url, errno);
  std::unique_ptr<TcpListener> listener(new TcpListener(std::move(bound->socket)));
  listener->name_ = bound->address.ToString();
  listener->port_ = bound->address.port();
  return listener;
}

Socket TcpListener::Accept(int& error) {
  Socket accepted(accept4(socket_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  error = accepted ? 0 : errno;
  return accepted;
}

}  // namespace sockflow::transport
