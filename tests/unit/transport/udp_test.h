// SPDX-License-Identifier: MIT
#pragma once

// What the tests of UDP share: a far side, and a transport that can be told to send texts.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "transport/udp_listener.h"
#include "transport/udp_transport.h"

namespace sockflow::transport {

inline std::span<const uint8_t> Octets(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

inline std::unique_ptr<UdpListener> Listen(const std::string& host, uint16_t port = 0) {
  absl::StatusOr<std::unique_ptr<UdpListener>> listener = UdpListener::Open({"udp", host, port});
  EXPECT_TRUE(listener.ok()) << listener.status();
  return listener.ok() ? *std::move(listener) : nullptr;
}

inline uint16_t UnusedPort(const std::string& host) { return Listen(host)->port(); }

// What has arrived, and what arrives until `count` are there or `wait` passes without any.
inline std::vector<std::string> ReceiveText(UdpListener& listener, size_t count,
                                            int wait_milliseconds = 1000) {
  std::vector<std::string> texts;
  while (texts.size() < count) {
    pollfd wait = {.fd = listener.fd(), .events = POLLIN, .revents = 0};
    if (poll(&wait, 1, wait_milliseconds) <= 0) break;
    EXPECT_TRUE(listener
                    .Receive([&](std::string_view, std::span<const uint8_t> datagram) {
                      texts.emplace_back(datagram.begin(), datagram.end());
                    })
                    .ok());
  }
  return texts;
}

// Lets the kernel hand over a run as it came, not as datagrams.
inline void TakeRunsWhole(const UdpListener& listener) {
  const int on = 1;
  ASSERT_EQ(setsockopt(listener.fd(), IPPROTO_UDP, UDP_GRO, &on, sizeof(on)), 0);
}

// Texts of these lengths that differ from each other.
inline std::vector<std::string> TextsOf(const std::vector<size_t>& lengths) {
  std::vector<std::string> texts;
  for (const size_t length : lengths) {
    std::string text = std::to_string(texts.size()) + " ";
    text.resize(length, static_cast<char>('a' + texts.size() % 26));
    texts.push_back(std::move(text));
  }
  return texts;
}

class UdpClient {
 public:
  using Clock = Transport::Clock;
  using Outcome = Transport::Outcome;

  explicit UdpClient(const Url& url, UdpTransport::Options options = {})
      : waiter_(*Waiter::Make()), transport_(url, std::move(options)) {}

  absl::Status Open(Clock::duration wait = std::chrono::seconds(5)) {
    return transport_.Open(*waiter_, Clock::now() + wait);
  }
  absl::Status Close() { return transport_.Close(*waiter_, Clock::now()); }

  // With one call of Send.
  Transport::Result Send(const std::vector<std::string>& texts,
                         Clock::duration wait = std::chrono::seconds(5)) {
    std::vector<std::span<const uint8_t>> messages;
    for (const std::string& text : texts) messages.push_back(Octets(text));
    return transport_.Send(messages, *waiter_, Clock::now() + wait);
  }
  Transport::Result Send(const std::string& text) { return Send(std::vector{text}); }

  // All of them; returns how many were reported as lost.
  size_t SendAll(std::vector<std::string> texts) {
    size_t lost = 0;
    for (;;) {
      const Transport::Result result = Send(texts);
      texts.erase(texts.begin(), texts.begin() + static_cast<std::ptrdiff_t>(result.accepted));
      if (result.outcome == Outcome::kAll) return lost;
      EXPECT_EQ(result.outcome, Outcome::kMessageLost) << result.status;
      if (result.outcome != Outcome::kMessageLost) return lost;
      last_loss_ = result.status;
      texts.erase(texts.begin());
      ++lost;
    }
  }
  const absl::Status& last_loss() const { return last_loss_; }

  UdpTransport& transport() { return transport_; }
  Waiter& waiter() { return *waiter_; }

 private:
  std::unique_ptr<Waiter> waiter_;
  UdpTransport transport_;
  absl::Status last_loss_;
};

}  // namespace sockflow::transport
