// SPDX-License-Identifier: MIT
#include "tests/kernel/actors.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace sockflow::testing {

void Require(bool ok, const char* what) {
  if (ok) return;
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  _exit(99);
}

void NameProcess(const std::string& name) { prctl(PR_SET_NAME, name.c_str()); }

Actor::Actor(const std::string& name, std::function<int()> body) : name_(name) {
  pid_ = fork();
  Require(pid_ >= 0, "fork");
  if (pid_ > 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  NameProcess(name);
  _exit(body());
}

Actor::~Actor() { Kill(); }

void Actor::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  Join();
}

int Actor::Join() {
  if (pid_ <= 0) return -1;
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Gate::Gate() { Require(pipe(pipe_) == 0, "pipe"); }

Gate::~Gate() {
  close(pipe_[0]);
  close(pipe_[1]);
}

void Gate::Post() { Require(write(pipe_[1], "", 1) == 1, "write to gate"); }

void Gate::Wait() {
  char octet;
  Require(read(pipe_[0], &octet, 1) == 1, "read from gate");
}

bool Gate::WaitFor(std::chrono::milliseconds timeout) {
  pollfd p = {.fd = pipe_[0], .events = POLLIN, .revents = 0};
  return poll(&p, 1, static_cast<int>(timeout.count())) == 1;
}

int NewSocket(Family family) {
  const int fd =
      socket(family == Family::kV4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Require(fd >= 0, "socket");
  return fd;
}

socklen_t LoopbackAddress(Family family, uint16_t port, sockaddr_storage* address) {
  *address = {};
  if (family == Family::kV4) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(address);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof(*v4);
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(address);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  inet_pton(AF_INET6, family == Family::kV6 ? "::1" : "::ffff:127.0.0.1", &v6->sin6_addr);
  return sizeof(*v6);
}

int Listen(Family family, uint16_t* port, int backlog) {
  const int fd = NewSocket(family);
  sockaddr_storage address;
  socklen_t length = LoopbackAddress(family, 0, &address);
  if (family == Family::kV4Mapped) {
    reinterpret_cast<sockaddr_in6*>(&address)->sin6_addr = in6addr_any;
  }
  Require(bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0, "bind");
  Require(listen(fd, backlog) == 0, "listen");
  length = sizeof(address);
  Require(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0, "getsockname");
  *port = ntohs(family == Family::kV4 ? reinterpret_cast<sockaddr_in*>(&address)->sin_port
                                      : reinterpret_cast<sockaddr_in6*>(&address)->sin6_port);
  return fd;
}

int TryConnect(int fd, Family family, uint16_t port) {
  sockaddr_storage address;
  const socklen_t length = LoopbackAddress(family, port, &address);
  return connect(fd, reinterpret_cast<sockaddr*>(&address), length) == 0 ? 0 : errno;
}

int Connect(Family family, uint16_t port) {
  const int fd = NewSocket(family);
  errno = TryConnect(fd, family, port);
  Require(errno == 0, "connect");
  return fd;
}

int Accept(int listener) {
  const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  Require(fd >= 0, "accept");
  return fd;
}

void SendAll(int fd, size_t octets) {
  const std::vector<char> data(octets, 'x');
  size_t sent = 0;
  while (sent < octets) {
    const ssize_t n = send(fd, data.data() + sent, octets - sent, MSG_NOSIGNAL);
    Require(n > 0, "send");
    sent += n;
  }
}

void ReceiveAll(int fd, size_t octets) {
  std::vector<char> data(octets);
  size_t received = 0;
  while (received < octets) {
    const ssize_t n = recv(fd, data.data(), octets - received, 0);
    Require(n > 0, "recv");
    received += n;
  }
}

size_t ReceiveToEnd(int fd) {
  char data[65536];
  size_t received = 0;
  for (;;) {
    const ssize_t n = recv(fd, data, sizeof(data), 0);
    Require(n >= 0, "recv to the end");
    if (n == 0) return received;
    received += n;
  }
}

void CloseWithReset(int fd) {
  const linger abort_on_close = {.l_onoff = 1, .l_linger = 0};
  Require(setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_on_close, sizeof(abort_on_close)) == 0,
          "SO_LINGER");
  close(fd);
}

void EnterNewNetworkNamespace() {
  Require(unshare(CLONE_NEWNET) == 0, "unshare(CLONE_NEWNET)");
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  ifreq request = {};
  strcpy(request.ifr_name, "lo");
  Require(ioctl(fd, SIOCGIFFLAGS, &request) == 0, "SIOCGIFFLAGS");
  request.ifr_flags |= IFF_UP;
  Require(ioctl(fd, SIOCSIFFLAGS, &request) == 0, "SIOCSIFFLAGS");
  close(fd);
}

}  // namespace sockflow::testing
