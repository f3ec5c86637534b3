// SPDX-License-Identifier: MIT
#include "transport/udp_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <cerrno>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/transport/ipv6_loopback.h"
#include "transport/udp_listener.h"

namespace sockflow::transport {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::span<const uint8_t> Octets(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::unique_ptr<UdpListener> Listen(const std::string& host, uint16_t port = 0) {
  absl::StatusOr<std::unique_ptr<UdpListener>> listener = UdpListener::Open({"udp", host, port});
  EXPECT_TRUE(listener.ok()) << listener.status();
  return listener.ok() ? *std::move(listener) : nullptr;
}

// All that has arrived, and what arrives until the first `count` are there or a second is over.
std::vector<std::string> ReceiveText(UdpListener& listener, size_t count) {
  std::vector<std::string> texts;
  while (texts.size() < count) {
    pollfd wait = {.fd = listener.fd(), .events = POLLIN, .revents = 0};
    if (poll(&wait, 1, 1000) <= 0) break;
    EXPECT_TRUE(listener
                    .Receive([&](std::string_view, std::span<const uint8_t> datagram) {
                      texts.emplace_back(datagram.begin(), datagram.end());
                    })
                    .ok());
  }
  return texts;
}

uint16_t UnusedPort(const std::string& host) { return Listen(host)->port(); }

UdpTransport::Options WithResolver(UdpTransport::Resolver resolve) {
  UdpTransport::Options options;
  options.resolve = std::move(resolve);
  return options;
}

class UdpLoopbackTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "::1" && !HasIpv6Loopback()) GTEST_SKIP() << "this host has no ::1";
  }
};

TEST_P(UdpLoopbackTest, SendsEachMessageAsOneDatagram) {
  const auto listener = Listen(GetParam());
  ASSERT_NE(listener, nullptr);
  const auto transport = UdpTransport::Open({"udp", GetParam(), listener->port()});
  ASSERT_TRUE(transport.ok()) << transport.status();
  EXPECT_EQ((*transport)->name(), listener->name());
  EXPECT_TRUE((*transport)->forgets_templates());
  const std::string longest(60000, 'x');
  EXPECT_TRUE((*transport)->Send(Octets("one")).ok());
  EXPECT_TRUE((*transport)->Send(Octets(longest)).ok());
  EXPECT_THAT(ReceiveText(*listener, 2), ElementsAre("one", longest));
}

TEST_P(UdpLoopbackTest, CountsRefusalsAndSendsTheCurrentMessageAgain) {
  const uint16_t port = UnusedPort(GetParam());
  auto opened = UdpTransport::Open({"udp", GetParam(), port});
  ASSERT_TRUE(opened.ok()) << opened.status();
  Transport& transport = **opened;

  // The refusal of the first is known only when the second is sent.
  EXPECT_TRUE(transport.Send(Octets("lost")).ok());
  const absl::Status refused = transport.Send(Octets("lost too"));
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("refused an earlier message; start the collector or correct its address"));

  const auto listener = Listen(GetParam(), port);
  ASSERT_NE(listener, nullptr);
  // Reports the refusal of "lost too" and arrives nevertheless: two lost, two errors.
  EXPECT_EQ(transport.Send(Octets("arrives")).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(transport.Send(Octets("arrives too")).ok());
  EXPECT_THAT(ReceiveText(*listener, 2), ElementsAre("arrives", "arrives too"));
}

TEST_P(UdpLoopbackTest, NamesTheLargestMessageThatFits) {
  const auto listener = Listen(GetParam());
  auto transport = UdpTransport::Open({"udp", GetParam(), listener->port()});
  ASSERT_TRUE(transport.ok()) << transport.status();
  const std::string too_long(65535, 'x');
  const absl::Status status = (*transport)->Send(Octets(too_long));
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("a message of 65535 octets is too long for the path, which takes 65"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("set exporter.max_message_bytes to 65"));
  EXPECT_TRUE((*transport)->Send(Octets("next")).ok());
  EXPECT_THAT(ReceiveText(*listener, 1), ElementsAre("next"));
}

INSTANTIATE_TEST_SUITE_P(Families, UdpLoopbackTest, ::testing::Values("127.0.0.1", "::1"),
                         [](const auto& instance) {
                           return instance.param == "::1" ? "V6" : "V4";
                         });

TEST(UdpTransportTest, UnknownNameIsNotFatalAndIsLookedUpAgain) {
  const auto listener = Listen("127.0.0.1");
  std::atomic<int> lookups = 0;
  UdpTransport::Options options = WithResolver(
      [&](const Url& url) -> absl::StatusOr<std::vector<SocketAddress>> {
        if (++lookups == 1) return absl::UnavailableError("host sink cannot be looked up: no");
        return Resolve({"udp", "127.0.0.1", url.port}, Purpose::kSend);
      });
  options.lookup_interval = milliseconds(0);
  auto transport = UdpTransport::Open({"udp", "sink", listener->port()}, options);
  ASSERT_TRUE(transport.ok()) << transport.status();

  const absl::Status status = (*transport)->Send(Octets("too early"));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(std::string(status.message()),
            (*transport)->name() + ": host sink cannot be looked up: no");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!(*transport)->Send(Octets("in time")).ok() &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(lookups, 2);
  EXPECT_THAT(ReceiveText(*listener, 1), ElementsAre("in time"));
}

TEST(UdpTransportTest, LooksUpNoMoreOftenThanAllowed) {
  std::atomic<int> lookups = 0;
  auto transport = UdpTransport::Open(
      {"udp", "sink", 4739},
      WithResolver([&](const Url&) -> absl::StatusOr<std::vector<SocketAddress>> {
        ++lookups;
        return absl::UnavailableError("no");
      }));
  ASSERT_TRUE(transport.ok()) << transport.status();
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE((*transport)->Send(Octets("x")).ok());
  EXPECT_EQ(lookups, 1);
}

TEST(UdpTransportTest, SlowLookupBlocksNeitherSendNorExit) {
  // Shared, because the lookup outlives the transport and this function.
  const auto answer = std::make_shared<std::promise<void>>();
  UdpTransport::Options options = WithResolver(
      [answer](const Url&) -> absl::StatusOr<std::vector<SocketAddress>> {
        answer->get_future().wait();
        return absl::UnavailableError("at last");
      });
  options.first_lookup_wait = milliseconds(1);
  {
    auto transport = UdpTransport::Open({"udp", "sink", 4739}, options);
    ASSERT_TRUE(transport.ok()) << transport.status();
    const absl::Status status = (*transport)->Send(Octets("x"));
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(status.message()), HasSubstr("host sink is still being looked up"));
  }
  answer->set_value();
}

TEST(UdpTransportTest, TriesTheNextAddressOfANameThatRefuses) {
  if (!HasIpv6Loopback()) GTEST_SKIP() << "this host has no ::1";
  const auto listener = Listen("127.0.0.1");
  auto transport = UdpTransport::Open(
      {"udp", "localhost", listener->port()},
      WithResolver([](const Url& url) -> absl::StatusOr<std::vector<SocketAddress>> {
        auto addresses = Resolve({"udp", "::1", url.port}, Purpose::kSend);
        addresses->push_back(Resolve({"udp", "127.0.0.1", url.port}, Purpose::kSend)->front());
        return addresses;
      }));
  ASSERT_TRUE(transport.ok()) << transport.status();
  EXPECT_TRUE((*transport)->Send(Octets("lost at ::1")).ok());
  const absl::Status refused = (*transport)->Send(Octets("second"));
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("([::1]:"));
  EXPECT_TRUE((*transport)->Send(Octets("third")).ok());
  EXPECT_THAT(ReceiveText(*listener, 2), ElementsAre("second", "third"));
}

TEST(UdpTransportTest, RefusesOtherSchemes) {
  EXPECT_EQ(UdpTransport::Open({"tcp", "127.0.0.1", 4739}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(SendErrorTest, EachCauseHasItsCodeAndRemedy) {
  struct Case {
    int error;
    absl::StatusCode code;
    std::string text;
  };
  const Case cases[] = {
      {ECONNREFUSED, absl::StatusCode::kFailedPrecondition,
       "P: refused an earlier message; start the collector or correct its address"},
      {EAGAIN, absl::StatusCode::kResourceExhausted,
       "P: the socket's send buffer is full; raise net.core.wmem_max or send less"},
      {ENOBUFS, absl::StatusCode::kAborted,
       "P: the queue of the network interface is full; raise its txqueuelen or send less"},
      {EMSGSIZE, absl::StatusCode::kOutOfRange,
       "P: a message of 1500 octets is too long for the path, which takes 1232; set "
       "exporter.max_message_bytes to 1232"},
      {ENETUNREACH, absl::StatusCode::kNotFound,
       "P: no route: Network is unreachable; check the network and the routing table"},
      {EHOSTUNREACH, absl::StatusCode::kNotFound,
       "P: no route: No route to host; check the network and the routing table"},
      {EPERM, absl::StatusCode::kPermissionDenied,
       "P: sending is forbidden: Operation not permitted; allow it in this host's firewall"},
      {EIO, absl::StatusCode::kUnknown, "P: sending failed: Input/output error"},
  };
  for (const Case& c : cases) {
    const absl::Status status = SendError("P", c.error, 1500, 1232);
    EXPECT_EQ(status.code(), c.code) << c.text;
    EXPECT_EQ(std::string(status.message()), c.text);
  }
  EXPECT_EQ(std::string(SendError("P", EMSGSIZE, 1500, 0).message()),
            "P: a message of 1500 octets is too long for the path; lower "
            "exporter.max_message_bytes");
}

}  // namespace
}  // namespace sockflow::transport
