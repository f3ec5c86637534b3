// SPDX-License-Identifier: MIT
#include "tests/e2e/session_maker/truth.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/tcp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <utility>

namespace sockflow::testing {
namespace {

constexpr uint8_t kTcpClose = 7;  // <netinet/tcp.h>, whose tcp_info is an old one

int truth_fd = -1;
std::string own_name;
uid_t own_uid = 0;

tcp_info InfoOf(int fd) {
  tcp_info info = {};
  socklen_t length = sizeof(info);
  Require(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0, "TCP_INFO");
  return info;
}

}  // namespace

double NowMs() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

uid_t OwnUid() { return own_uid; }

void OpenTruth(const char* path) {
  truth_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  Require(truth_fd >= 0, "open the truth file");
}

void Become(const Persona& persona) {
  NameProcess(persona.name);
  own_name = persona.name;
  if (persona.uid != own_uid) {
    Require(setgroups(0, nullptr) == 0, "setgroups");
    Require(setresgid(persona.uid, persona.uid, persona.uid) == 0, "setresgid");
    Require(setresuid(persona.uid, persona.uid, persona.uid) == 0, "setresuid");
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a change of user had cleared it
  }
  own_uid = persona.uid;
}

Address Read(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN];
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    return {text, ntohs(v4.sin_port)};
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text, sizeof(text));
  } else {
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
  }
  return {text, ntohs(v6.sin6_port)};
}

void WaitReadable(int fd) {
  pollfd wanted = {.fd = fd, .events = POLLIN, .revents = 0};
  Require(poll(&wanted, 1, 10'000) == 1, "poll");
}

Session::Session(int fd, bool active, uint8_t family, double start_min, double start_max)
    : fd_(fd), active_(active), family_(family), start_min_(start_min), start_max_(start_max) {
  sockaddr_storage address;
  socklen_t length = sizeof(address);
  Require(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0, "getsockname");
  local_ = Read(address);
}

Session Session::OtherEnd() const {
  Session other = *this;
  other.active_ = !active_;
  other.measured_.reset();
  std::swap(other.local_, other.remote_);
  std::swap(other.sent_, other.received_);
  return other;
}

void Session::Send(size_t octets) {
  if (octets > 0) SendAll(fd_, octets);
  sent_ += octets;
}

void Session::Send(const Request& request) {
  Require(send(fd_, &request, sizeof(request), MSG_NOSIGNAL) == sizeof(request), "send request");
  sent_ += sizeof(request);
  Send(request.octets - sizeof(request));
}

bool Session::Receive(Request* request) {
  const ssize_t got = recv(fd_, request, sizeof(*request), MSG_WAITALL);
  if (got == 0) return false;
  Require(got == sizeof(*request), "recv request");
  received_ += sizeof(*request);
  Receive(request->octets - sizeof(*request));
  return true;
}

void Session::Receive(size_t octets) {
  if (octets > 0) ReceiveAll(fd_, octets);
  received_ += octets;
}

void Session::ReceiveEnd() { received_ += ReceiveToEnd(fd_); }

void Session::ReceiveError(int error) {
  char octet;
  const ssize_t got = recv(fd_, &octet, 1, 0);
  Require(got == -1 && errno == error, "recv of an error");
}

void Session::ReceiveReset() { ReceiveError(ECONNRESET); }

void Session::ShutDown() { Require(shutdown(fd_, SHUT_WR) == 0, "shutdown"); }

void Session::Close() {
  Observe();
  close(fd_);
}

void Session::Reset() {
  Observe(/*is_reset=*/true);
  CloseWithReset(fd_);
}

void Session::Observe() { Observe(/*is_reset=*/false); }

void Session::WaitAcknowledged() {
  while (InfoOf(fd_).tcpi_unacked > 0) usleep(100);
}

void Session::Observe(bool is_reset) {
  const tcp_info info = InfoOf(fd_);
  measured_ = Measured{.rtt = info.tcpi_rtt,
                       .min_rtt = info.tcpi_min_rtt,
                       .retransmitted = info.tcpi_total_retrans,
                       .unacknowledged = info.tcpi_unacked,
                       .is_final = is_reset || info.tcpi_state == kTcpClose};
}

void Session::Tell(Kind kind, bool prefork, bool counted) const {
  const auto octets = [counted](size_t count) {
    return counted ? std::to_string(count) : std::string("null");
  };
  char line[768];
  int length = snprintf(
      line, sizeof(line),
      "{\"kind\":\"%s%s\",\"family\":\"%s\",\"direction\":\"%s\",\"local\":\"%s\","
      "\"local_port\":%u,\"remote\":\"%s\",\"remote_port\":%u,\"pid\":%d,\"name\":\"%s\","
      "\"uid\":%u,\"sent\":%s,\"received\":%s,\"start_min\":%.3f,\"start_max\":%.3f",
      prefork ? "prefork_" : "", kKindNames[static_cast<size_t>(kind)].data(),
      kFamilyNames[family_].data(), active_ ? "active" : "passive", local_.text.c_str(),
      local_.port, remote_.text.c_str(), remote_.port, getpid(), own_name.c_str(), own_uid,
      octets(sent_).c_str(), octets(received_).c_str(), start_min_, start_max_);
  if (measured_) {
    length += snprintf(line + length, sizeof(line) - length,
                       ",\"rtt\":%u,\"min_rtt\":%u,\"retransmitted\":%u,\"unacknowledged\":%u,\"final\":%s",
                       measured_->rtt, measured_->min_rtt, measured_->retransmitted, measured_->unacknowledged,
                       measured_->is_final ? "true" : "false");
  }
  length += snprintf(line + length, sizeof(line) - length, "}\n");
  Require(length < static_cast<int>(sizeof(line)) && write(truth_fd, line, length) == length,
          "write the truth");
}

Session ConnectTo(size_t family, uint16_t port) {
  const double before = NowMs();
  const int fd = Connect(kFamilies[family], port);
  Session session(fd, true, static_cast<uint8_t>(family), before, NowMs());
  sockaddr_storage address;
  LoopbackAddress(kFamilies[family], port, &address);
  session.set_remote(address);
  return session;
}

Session PrepareConnect(size_t family, uint16_t port) {
  const int fd = NewSocket(kFamilies[family]);
  sockaddr_storage address;
  const socklen_t length = LoopbackAddress(kFamilies[family], 0, &address);
  Require(bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0, "bind");
  Session session(fd, true, static_cast<uint8_t>(family), NowMs(), NowMs() + 1000);
  LoopbackAddress(kFamilies[family], port, &address);
  session.set_remote(address);
  return session;
}

std::optional<Session> AcceptFrom(int listener) {
  sockaddr_storage peer;
  socklen_t length = sizeof(peer);
  const int fd = accept4(listener, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC);
  if (fd < 0) return std::nullopt;
  Session session(fd, false, 0, 0, NowMs());
  session.set_remote(peer);
  return session;
}

}  // namespace sockflow::testing
