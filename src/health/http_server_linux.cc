// SPDX-License-Identifier: MIT
#include "health/http_server.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

#include "fmt/format.h"

namespace sockflow::health {
namespace {

// After accept(2) failed for want of descriptors: a listener that stays readable must not make a busy loop.
constexpr auto kAcceptPause = std::chrono::milliseconds(200);
// Reads at once from a peer that was answered and goes on talking; what comes later tells of itself.
constexpr int kDiscards = 16;

bool Watch(int epoll, int fd, uint32_t events) {
  epoll_event event = {.events = events, .data = {.fd = fd}};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

std::span<const uint8_t> Octets(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    std::unique_ptr<transport::TcpListener> listener, Handler handler, Options options) {
  auto waiter = transport::Waiter::Make();
  if (!waiter.ok()) return waiter.status();
  transport::Socket epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll || !Watch(epoll.fd(), listener->fd(), EPOLLIN)) {
    return absl::ResourceExhaustedError(
        fmt::format("epoll failed: {}; raise the limit of open files", std::strerror(errno)));
  }
  std::unique_ptr<HttpServer> server(new HttpServer(std::move(listener), std::move(handler), options,
                                                    *std::move(waiter), std::move(epoll)));
  try {
    server->thread_ = std::thread([&self = *server] { self.Run(); });
  } catch (const std::system_error& error) {
    return absl::UnavailableError(fmt::format(
        "no thread could be started: {}; raise the limit of processes", error.what()));
  }
  return server;
}

HttpServer::HttpServer(std::unique_ptr<transport::TcpListener> listener, Handler handler, Options options,
                       std::unique_ptr<transport::Waiter> waiter, transport::Socket epoll)
    : listener_(std::move(listener)),
      handler_(std::move(handler)),
      options_(options),
      waiter_(std::move(waiter)),
      epoll_(std::move(epoll)) {}

HttpServer::~HttpServer() {
  stopping_ = true;
  waiter_->Wake();
  if (thread_.joinable()) thread_.join();
}

void HttpServer::Run() {
  while (!stopping_) {
    // All deadlines are equally long: the oldest connection's is the first.
    Clock::time_point deadline =
        connections_.empty() ? Clock::time_point::max() : connections_.front().deadline;
    if (accept_again_ != Clock::time_point::min()) deadline = std::min(deadline, accept_again_);
    const bool ready = waiter_->Wait(epoll_.fd(), transport::Waiter::kReadable, deadline) != 0;
    const auto now = Clock::now();
    if (accept_again_ != Clock::time_point::min() && now >= accept_again_) {
      accept_again_ = Clock::time_point::min();
      Watch(epoll_.fd(), listener_->fd(), EPOLLIN);
    }
    std::array<epoll_event, 64> events;
    const int count = ready ? epoll_wait(epoll_.fd(), events.data(), events.size(), 0) : 0;
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      const auto connection =
          std::ranges::find_if(connections_, [fd](const Connection& c) { return c.socket.fd() == fd; });
      if (connection != connections_.end() && !Serve(*connection)) connections_.erase(connection);
    }
    std::erase_if(connections_, [now](const Connection& c) { return c.deadline <= now; });
    // Last, so that a descriptor of a connection that has just ended is none of another's event.
    if (std::any_of(events.begin(), events.begin() + count,
                    [this](const epoll_event& event) { return event.data.fd == listener_->fd(); })) {
      AcceptAll();
    }
  }
}

void HttpServer::AcceptAll() {
  while (true) {
    int error = 0;
    transport::Socket socket = listener_->Accept(error);
    if (error == EINTR || error == ECONNABORTED) continue;
    if (error != 0 && error != EAGAIN) {
      epoll_ctl(epoll_.fd(), EPOLL_CTL_DEL, listener_->fd(), nullptr);
      accept_again_ = Clock::now() + kAcceptPause;
    }
    if (error != 0) return;
    if (!Watch(epoll_.fd(), socket.fd(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)) continue;
    if (connections_.size() >= options_.max_connections) connections_.pop_front();
    connections_.push_back({.socket = std::move(socket), .deadline = Clock::now() + options_.patience});
  }
}

bool HttpServer::Serve(Connection& connection) {
  if (!connection.shut && connection.answer.empty() && !Read(connection)) return false;
  if (!connection.shut && !connection.answer.empty() && !Write(connection)) return false;
  if (!connection.shut) return true;
  // What the peer still sends is read before the socket is closed: a reset would take the answer from it.
  for (int i = 0; i < kDiscards; ++i) {
    size_t taken = 0;
    const int error = transport::DiscardNow(connection.socket, 65'536, taken);
    if (error == EAGAIN) return true;
    if (error != 0 || taken == 0) return false;
  }
  return true;
}

bool HttpServer::Read(Connection& connection) {
  while (true) {
    std::array<uint8_t, 4096> octets;
    size_t taken = 0;
    const int error = transport::ReadNow(connection.socket, octets, taken);
    if (error == EAGAIN) return true;
    if (error != 0 || taken == 0) return false;
    connection.request.append(reinterpret_cast<const char*>(octets.data()), taken);
    const HttpRequest request = ReadRequest(connection.request);
    if (!request.complete) continue;
    const Page page = request.error != 0 ? ErrorPage(request.error) : handler_(request.path);
    connection.answer = WriteAnswer(page, request.wants_body);
    return true;
  }
}

bool HttpServer::Write(Connection& connection) {
  while (connection.written < connection.answer.size()) {
    const std::array<std::span<const uint8_t>, 1> rest = {
        Octets(std::string_view(connection.answer).substr(connection.written))};
    size_t written = 0;
    const int error = transport::WriteNow(connection.socket, rest, written);
    if (error == EAGAIN) return true;
    if (error != 0) return false;
    connection.written += written;
  }
  connection.shut = transport::ShutDownWriting(connection.socket);
  return connection.shut;
}

}  // namespace sockflow::health
