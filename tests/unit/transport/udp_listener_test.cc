// SPDX-License-Identifier: MIT
#include "transport/udp_listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/unit/transport/ipv6_loopback.h"

namespace sockflow::transport {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Sends to a listener from a socket of its own.
class Sender {
 public:
  Sender(const std::string& host, uint16_t port)
      : address_(Resolve({"udp", host, port}, Purpose::kSend)->front()) {
    int error = 0;
    socket_ = OpenUdpSender(address_, error);
    if (error == 0) error = Connect(socket_, address_);
    EXPECT_EQ(error, 0);
  }

  void Send(std::string_view text) {
    EXPECT_EQ(send(socket_.fd(), text.data(), text.size(), 0),
              static_cast<ssize_t>(text.size()));
  }

  std::string name() const {
    SocketAddress own;
    own.length = static_cast<uint32_t>(own.octets.size());
    getsockname(socket_.fd(), reinterpret_cast<sockaddr*>(own.octets.data()), &own.length);
    return own.ToString();
  }

 private:
  SocketAddress address_;
  Socket socket_;
};

std::unique_ptr<UdpListener> Listen(const Url& url, UdpListener::Options options = {}) {
  absl::StatusOr<std::unique_ptr<UdpListener>> listener = UdpListener::Open(url, options);
  EXPECT_TRUE(listener.ok()) << listener.status();
  return listener.ok() ? *std::move(listener) : nullptr;
}

size_t Receive(UdpListener& listener, std::vector<std::string>& texts) {
  const absl::StatusOr<size_t> taken =
      listener.Receive([&](std::string_view peer, std::span<const uint8_t> datagram) {
        texts.push_back(std::string(peer) + " " + std::string(datagram.begin(), datagram.end()));
      });
  EXPECT_TRUE(taken.ok()) << taken.status();
  return taken.value_or(0);
}

TEST(UdpListenerTest, TellsSendersApart) {
  const auto listener = Listen({"udp", "127.0.0.1", 0});
  Sender a("127.0.0.1", listener->port());
  Sender b("127.0.0.1", listener->port());
  a.Send("1");
  a.Send("2");
  b.Send("3");
  a.Send("");
  std::vector<std::string> texts;
  EXPECT_EQ(Receive(*listener, texts), 4u);
  EXPECT_THAT(texts,
              ElementsAre(a.name() + " 1", a.name() + " 2", b.name() + " 3", a.name() + " "));
  EXPECT_THAT(a.name(), StartsWith("127.0.0.1:"));
  EXPECT_EQ(listener->stats().datagrams, 4u);
  EXPECT_EQ(listener->stats().octets, 3u);
}

TEST(UdpListenerTest, NeverWaits) {
  const auto listener = Listen({"udp", "127.0.0.1", 0});
  std::vector<std::string> texts;
  EXPECT_EQ(Receive(*listener, texts), 0u);
  EXPECT_TRUE(texts.empty());
}

TEST(UdpListenerTest, TakesABatchAtATime) {
  const auto listener = Listen({"udp", "127.0.0.1", 0});
  Sender sender("127.0.0.1", listener->port());
  for (int i = 0; i < 100; ++i) sender.Send(std::to_string(i));
  std::vector<std::string> texts;
  EXPECT_EQ(Receive(*listener, texts), 64u);
  EXPECT_EQ(Receive(*listener, texts), 36u);
  EXPECT_EQ(Receive(*listener, texts), 0u);
  ASSERT_EQ(texts.size(), 100u);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(texts[static_cast<size_t>(i)], sender.name() + " " + std::to_string(i));
  }
}

class EveryAddressTest : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryAddressTest, TakesBothFamiliesAndNamesMappedPeersAsIpv4) {
  if (!HasIpv6Loopback()) GTEST_SKIP() << "this host has no ::1";
  const auto listener = Listen({"udp", GetParam(), 0});
  Sender v4("127.0.0.1", listener->port());
  Sender v6("::1", listener->port());
  v4.Send("four");
  v6.Send("six");
  std::vector<std::string> texts;
  EXPECT_EQ(Receive(*listener, texts), 2u);
  EXPECT_THAT(texts, ElementsAre(v4.name() + " four", v6.name() + " six"));
  EXPECT_THAT(v6.name(), StartsWith("[::1]:"));
  EXPECT_EQ(listener->name(), "udp://[::]:" + std::to_string(listener->port()));
}

INSTANTIATE_TEST_SUITE_P(Hosts, EveryAddressTest, ::testing::Values("::", ""),
                         [](const auto& instance) {
                           return instance.param.empty() ? "LeftOut" : "Unspecified";
                         });

TEST(UdpListenerTest, NamesAPortInUse) {
  const auto first = Listen({"udp", "127.0.0.1", 0});
  const std::string port = std::to_string(first->port());
  const auto second = UdpListener::Open({"udp", "127.0.0.1", first->port()});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(std::string(second.status().message()),
            "cannot listen on udp://127.0.0.1:" + port + ": port " + port +
                " is in use; stop the program that has it (\"ss -ulpn sport = :" + port +
                "\" names it) or listen on another port");
  // Without a host it is not enough that IPv6 has the port free.
  EXPECT_EQ(UdpListener::Open({"udp", "", first->port()}).status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST(UdpListenerTest, NamesAnAddressOfAnotherHost) {
  const auto listener = UdpListener::Open({"udp", "192.0.2.1", 4739});
  ASSERT_FALSE(listener.ok());
  EXPECT_EQ(std::string(listener.status().message()),
            "cannot listen on udp://192.0.2.1:4739: this host has no address 192.0.2.1; "
            "\"ip address\" lists those it has");
}

TEST(UdpListenerTest, CountsTruncatedDatagrams) {
  const auto listener = Listen({"udp", "127.0.0.1", 0}, {.max_datagram_octets = 4});
  Sender sender("127.0.0.1", listener->port());
  sender.Send("four");
  sender.Send("five5");
  sender.Send("ok");
  std::vector<std::string> texts;
  EXPECT_EQ(Receive(*listener, texts), 3u);
  EXPECT_THAT(texts, ElementsAre(sender.name() + " four", sender.name() + " ok"));
  EXPECT_EQ(listener->stats().truncated, 1u);
  EXPECT_EQ(listener->stats().datagrams, 2u);
}

TEST(UdpListenerTest, CountsWhatTheKernelDropped) {
  const auto listener = Listen({"udp", "127.0.0.1", 0}, {.receive_buffer_octets = 20'000});
  Sender sender("127.0.0.1", listener->port());
  const std::string text(500, 'x');
  for (int i = 0; i < 300; ++i) sender.Send(text);
  // Known at once, with nothing received since.
  const uint64_t dropped = listener->stats().kernel_drops;
  EXPECT_GT(dropped, 0u);
  EXPECT_LT(dropped, 300u);
  std::vector<std::string> texts;
  while (Receive(*listener, texts) > 0) {
  }
  EXPECT_EQ(texts.size() + dropped, 300u);
  // The next datagram carries the same count (SO_RXQ_OVFL), which must not count twice.
  sender.Send(text);
  EXPECT_EQ(Receive(*listener, texts), 1u);
  EXPECT_EQ(listener->stats().kernel_drops, dropped);
  EXPECT_EQ(texts.size() + dropped, 301u);
}

TEST(UdpListenerTest, AsksForALargeReceiveBuffer) {
  const auto small = Listen({"udp", "127.0.0.1", 0}, {.receive_buffer_octets = 10'000});
  const auto large = Listen({"udp", "127.0.0.1", 0});
  EXPECT_GE(small->receive_buffer_octets(), 10'000u);
  EXPECT_GT(large->receive_buffer_octets(), small->receive_buffer_octets());
}

}  // namespace
}  // namespace sockflow::transport
