// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sockflow/transport.h"
#include "transport/socket.h"
#include "transport/waiter.h"

// The far end of the stream transports, and what their tests have in common.
namespace sockflow::transport {

// Nothing takes that long; a test that waits for it fails.
inline Transport::Clock::time_point Soon() {
  return Transport::Clock::now() + std::chrono::seconds(10);
}
inline Transport::Clock::time_point Now() { return Transport::Clock::now(); }

inline std::unique_ptr<Waiter> MakeWaiter() {
  auto waiter = Waiter::Make();
  EXPECT_TRUE(waiter.ok()) << waiter.status();
  return *std::move(waiter);
}

inline std::string Text(const absl::Status& status) { return std::string(status.message()); }

// Ends the connection with a reset.
inline void Reset(Socket& socket) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket.fd(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  socket = Socket(-1);
}

// A collector's TCP or SCTP socket on 127.0.0.1. Blocking, but nothing waits longer than 10 s.
class CollectorEnd {
 public:
  explicit CollectorEnd(int receive_buffer_octets = 0, int backlog = 16, int protocol = IPPROTO_TCP)
      : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol)) {
    if (receive_buffer_octets > 0) {
      setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_octets,
                 sizeof(receive_buffer_octets));
    }
    const timeval limit{.tv_sec = 10, .tv_usec = 0};  // for accepted sockets too
    setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(socket_.fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(socket_.fd(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(socket_.fd(), backlog), 0);
    socklen_t length = sizeof(address);
    getsockname(socket_.fd(), reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }

  uint16_t port() const { return port_; }
  SocketAddress address() const {
    return Resolve({"tcp", "127.0.0.1", port_}, Purpose::kSend)->front();
  }
  Url url(std::string scheme = "tcp") const { return {std::move(scheme), "127.0.0.1", port_}; }

  Socket Accept() {
    Socket accepted(accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_TRUE(static_cast<bool>(accepted));
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    setsockopt(accepted.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(accepted.fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    return accepted;
  }

  // Nothing is accepted any more.
  void Stop() { socket_ = Socket(-1); }

 private:
  Socket socket_;
  uint16_t port_ = 0;
};

// Up to `octets` of what comes, fewer only if the sender ends before.
inline std::string Read(const Socket& socket, size_t octets) {
  std::string text(octets, '\0');
  size_t have = 0;
  while (have < octets) {
    const ssize_t taken = recv(socket.fd(), text.data() + have, octets - have, 0);
    if (taken <= 0) break;
    have += static_cast<size_t>(taken);
  }
  text.resize(have);
  return text;
}

// Messages that tell their number and their octets apart.
inline std::vector<std::vector<uint8_t>> NumberedMessages(size_t count, size_t octets) {
  std::vector<std::vector<uint8_t>> messages(count);
  for (size_t i = 0; i < count; ++i) {
    messages[i].resize(octets);
    for (size_t k = 0; k < octets; ++k) {
      messages[i][k] = static_cast<uint8_t>(k < 4 ? i >> (8 * k) : i * 31 + k * 7 + (k >> 8));
    }
  }
  return messages;
}

inline std::vector<std::span<const uint8_t>> Spans(
    const std::vector<std::vector<uint8_t>>& messages) {
  return {messages.begin(), messages.end()};
}

inline std::string Concatenation(const std::vector<std::vector<uint8_t>>& messages) {
  std::string all;
  for (const auto& message : messages) all.append(message.begin(), message.end());
  return all;
}

// Sends all in batches of 16, as the agent does.
inline Transport::Result SendAll(Transport& transport, Waiter& waiter,
                                 std::span<const std::span<const uint8_t>> messages) {
  Transport::Result result;
  size_t sent = 0;
  do {
    const auto batch = messages.subspan(sent, std::min<size_t>(16, messages.size() - sent));
    result = transport.Send(batch, waiter, Soon());
    sent += result.accepted;
  } while (result.outcome == Transport::Outcome::kAll && sent < messages.size());
  result.accepted = sent;
  return result;
}

// Sends the message again and again, until there is no room and none comes; returns how many were
// accepted.
inline size_t SendUntilBusy(Transport& transport, Waiter& waiter,
                            std::span<const uint8_t> message) {
  const std::vector<std::span<const uint8_t>> batch(16, message);
  size_t sent = 0;
  while (true) {
    const auto result = transport.Send(batch, waiter, Now() + std::chrono::milliseconds(10));
    sent += result.accepted;
    if (result.outcome == Transport::Outcome::kBusy) return sent;
    EXPECT_EQ(result.outcome, Transport::Outcome::kAll) << result.status;
    if (result.outcome != Transport::Outcome::kAll) return sent;
  }
}

// Waits until the collector has said something or has gone.
inline void AwaitNews(Transport& transport, Waiter& waiter) {
  EXPECT_EQ(waiter.Wait(transport.fd(), Waiter::kReadable, Soon()), Waiter::kReadable);
}

}  // namespace sockflow::transport
