// SPDX-License-Identifier: MIT
#include "transport/udp_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/transport/ipv6_loopback.h"
#include "tests/unit/transport/udp_test.h"

namespace sockflow::transport {
namespace {

using Outcome = Transport::Outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

SocketAddress AddressOf(const std::string& host, uint16_t port) {
  return Resolve({"udp", host, port}, Purpose::kSend)->front();
}

class UdpLoopbackTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "::1" && !HasIpv6Loopback()) GTEST_SKIP() << "this host has no ::1";
  }
};

TEST_P(UdpLoopbackTest, SendsEachMessageAsOneDatagram) {
  const auto listener = Listen(GetParam());
  UdpClient client({"udp", GetParam(), listener->port()});
  ASSERT_TRUE(client.Open().ok());
  EXPECT_EQ(client.transport().name(), listener->name());
  EXPECT_TRUE(client.transport().forgets_templates());
  EXPECT_EQ(client.transport().fd(), -1);
  const std::vector<std::string> texts =
      TextsOf({5, 60000, 60000, 1400, 1400, 1400, 700, 800, 800, 1, 1, 1, 1, 3000});
  const Transport::Result result = client.Send(texts);
  EXPECT_EQ(result.outcome, Outcome::kAll) << result.status;
  EXPECT_EQ(result.accepted, texts.size());
  EXPECT_EQ(ReceiveText(*listener, texts.size()), texts);
  EXPECT_TRUE(client.Close().ok());
  EXPECT_EQ(client.transport().unconfirmed(), 0u);
}

TEST_P(UdpLoopbackTest, SendsMoreThanOneSystemCallTakes) {
  const auto listener = Listen(GetParam());
  UdpClient client({"udp", GetParam(), listener->port()});
  ASSERT_TRUE(client.Open().ok());
  for (const size_t length : {20u, 1400u}) {
    std::vector<std::string> texts = TextsOf(std::vector<size_t>(150, length));
    EXPECT_EQ(client.SendAll(texts), 0u);
    EXPECT_EQ(ReceiveText(*listener, texts.size()), texts);
    for (size_t i = 0; i < texts.size(); ++i) texts[i].resize(length - i % 3);
    EXPECT_EQ(client.SendAll(texts), 0u);
    EXPECT_EQ(ReceiveText(*listener, texts.size()), texts);
  }
}

TEST_P(UdpLoopbackTest, EqualLengthsPassTheKernelAsOne) {
  const auto listener = Listen(GetParam());
  TakeRunsWhole(*listener);
  UdpClient client({"udp", GetParam(), listener->port()});
  ASSERT_TRUE(client.Open().ok());
  const std::vector<std::string> texts = TextsOf({100, 100, 100, 40, 40});
  EXPECT_EQ(client.SendAll(texts), 0u);
  EXPECT_THAT(ReceiveText(*listener, 2),
              ElementsAre(texts[0] + texts[1] + texts[2] + texts[3], texts[4]));
}

TEST_P(UdpLoopbackTest, EveryRefusedMessageIsReportedOnce) {
  const uint16_t port = UnusedPort(GetParam());
  UdpClient client({"udp", GetParam(), port});
  ASSERT_TRUE(client.Open().ok());
  // The refusal of a run is known when the next message is sent.
  const std::vector<std::string> run = TextsOf(std::vector<size_t>(16, 100));
  EXPECT_EQ(client.SendAll(run), 0u);
  size_t lost = client.SendAll(TextsOf({500, 600, 700, 700, 700, 650}));
  EXPECT_EQ(lost, 6u);
  EXPECT_EQ(client.last_loss().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(client.last_loss().message()),
              HasSubstr("refused an earlier message; start the collector or correct its address"));

  const auto listener = Listen(GetParam(), port);
  ASSERT_NE(listener, nullptr);
  // Each pays for one that was refused before, and arrives.
  const std::vector<std::string> arriving = TextsOf(std::vector<size_t>(40, 100));
  lost += client.SendAll(arriving);
  EXPECT_EQ(lost, run.size() + 6);
  EXPECT_EQ(ReceiveText(*listener, arriving.size()), arriving);
}

TEST_P(UdpLoopbackTest, CloseTellsOfTheLastRefusals) {
  UdpClient client({"udp", GetParam(), UnusedPort(GetParam())});
  ASSERT_TRUE(client.Open().ok());
  EXPECT_EQ(client.SendAll(TextsOf({100, 100, 100})), 0u);
  // Known by Check already, and counted once.
  EXPECT_EQ(client.transport().Check().outcome, Outcome::kAll);
  EXPECT_EQ(client.Close().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(client.transport().unconfirmed(), 3u);
  EXPECT_TRUE(client.Close().ok());
  EXPECT_EQ(client.transport().unconfirmed(), 3u);
  ASSERT_TRUE(client.Open().ok());
  EXPECT_EQ(client.transport().unconfirmed(), 0u);
}

TEST_P(UdpLoopbackTest, NamesTheLargestMessageThatFits) {
  const auto listener = Listen(GetParam());
  UdpClient client({"udp", GetParam(), listener->port()});
  ASSERT_TRUE(client.Open().ok());
  const Transport::Result result = client.Send({"first", std::string(65535, 'x'), "next"});
  EXPECT_EQ(result.outcome, Outcome::kMessageLost);
  EXPECT_EQ(result.accepted, 1u);
  EXPECT_EQ(result.status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(result.status.message()),
              HasSubstr("a message of 65535 octets is too long for the path, which takes 65"));
  EXPECT_THAT(std::string(result.status.message()),
              HasSubstr("set exporter.max_message_bytes to 65"));
  EXPECT_EQ(client.SendAll({"next"}), 0u);
  EXPECT_THAT(ReceiveText(*listener, 2), ElementsAre("first", "next"));
}

INSTANTIATE_TEST_SUITE_P(Families, UdpLoopbackTest, ::testing::Values("127.0.0.1", "::1"),
                         [](const auto& instance) {
                           return instance.param == "::1" ? "V6" : "V4";
                         });

UdpTransport::Options WithResolver(Lookup::Resolver resolve) {
  return {.lookup_interval = milliseconds(0), .resolve = std::move(resolve)};
}

Lookup::Resolver Always(const std::vector<std::string>& hosts) {
  return [hosts](const Url& url) -> Lookup::Addresses {
    std::vector<SocketAddress> addresses;
    for (const std::string& host : hosts) addresses.push_back(AddressOf(host, url.port));
    return addresses;
  };
}

TEST(UdpTransportTest, GivesUpRunsThatTheKernelRefuses) {
  const auto listener = Listen("127.0.0.1");
  TakeRunsWhole(*listener);
  // Two addresses, so that the socket can be reached.
  UdpClient client({"udp", "sink", listener->port()},
                   WithResolver(Always({"127.0.0.1", "127.0.0.2"})));
  ASSERT_TRUE(client.Open().ok());
  // The kernel has to compute the checksums of what it cuts.
  int no_checksums = 1;
  setsockopt(client.transport().fd(), SOL_SOCKET, SO_NO_CHECK, &no_checksums, sizeof(int));
  const std::vector<std::string> texts = TextsOf({100, 100, 100, 40, 200, 200});
  EXPECT_EQ(client.SendAll(texts), 0u);
  EXPECT_EQ(ReceiveText(*listener, texts.size()), texts);
  no_checksums = 0;
  setsockopt(client.transport().fd(), SOL_SOCKET, SO_NO_CHECK, &no_checksums, sizeof(int));
  EXPECT_EQ(client.SendAll(texts), 0u);
  EXPECT_EQ(ReceiveText(*listener, texts.size()), texts) << "runs are tried again";
}

TEST(UdpTransportTest, RefusalMovesOnToTheNextAddress) {
  const auto listener = Listen("127.0.0.2");
  UdpClient client({"udp", "sink", listener->port()},
                   WithResolver(Always({"127.0.0.1", "127.0.0.2"})));
  ASSERT_TRUE(client.Open().ok());
  const std::vector<std::string> texts = TextsOf({100, 100, 100, 50, 60});
  EXPECT_EQ(client.Send({texts[0], texts[1], texts[2]}).accepted, 3u);
  // Readable: an early look is worth it.
  EXPECT_NE(client.waiter().Wait(client.transport().fd(), Waiter::kReadable,
                                 Transport::Clock::now() + seconds(5)),
            0);
  Transport::Result result = client.Send({texts[3]});
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_EQ(result.accepted, 0u);
  EXPECT_EQ(result.status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(result.status.message()), HasSubstr("(127.0.0.1:"));
  EXPECT_EQ(client.transport().unconfirmed(), 3u);
  EXPECT_EQ(client.transport().fd(), -1);
  EXPECT_TRUE(client.Close().ok());

  ASSERT_TRUE(client.Open().ok());
  EXPECT_EQ(client.transport().unconfirmed(), 0u);
  EXPECT_EQ(client.SendAll(texts), 0u);
  EXPECT_EQ(ReceiveText(*listener, texts.size()), texts);
}

TEST(UdpTransportTest, CheckFindsTheRefusalToo) {
  const uint16_t port = UnusedPort("127.0.0.1");
  UdpClient client({"udp", "sink", port}, WithResolver(Always({"127.0.0.1", "127.0.0.2"})));
  ASSERT_TRUE(client.Open().ok());
  EXPECT_EQ(client.Send("refused").outcome, Outcome::kAll);
  const Transport::Result result = client.transport().Check();
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_EQ(result.status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(client.transport().unconfirmed(), 1u);
  EXPECT_EQ(client.transport().Check().outcome, Outcome::kAll) << "no session";
}

TEST(UdpTransportTest, TriesTheNextAddressThatCanBeConnected) {
  const auto listener = Listen("127.0.0.1");
  // Without an interface a link-local address has no route.
  UdpClient client({"udp", "sink", listener->port()},
                   WithResolver(Always({"fe80::1", "127.0.0.1"})));
  ASSERT_TRUE(client.Open().ok());
  EXPECT_EQ(client.SendAll({"arrives"}), 0u);
  EXPECT_THAT(ReceiveText(*listener, 1), ElementsAre("arrives"));
}

TEST(UdpTransportTest, OpenFailsWithTheReasonWhenNoAddressCanBeConnected) {
  UdpClient client({"udp", "sink", 4739}, WithResolver(Always({"fe80::1"})));
  const absl::Status status = client.Open();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("udp://sink:4739"));
  EXPECT_TRUE(client.Close().ok());
}

// Shared, because a lookup may outlive the transport and the test.
using Counter = std::shared_ptr<std::atomic<int>>;

TEST(UdpTransportTest, ResolverThatFailsAndComesBack) {
  const auto listener = Listen("127.0.0.1");
  const Counter lookups = std::make_shared<std::atomic<int>>(0);
  UdpClient client({"udp", "sink", listener->port()},
                   WithResolver([lookups](const Url& url) -> Lookup::Addresses {
                     if (++*lookups == 1) return absl::UnavailableError("host sink: no");
                     return Always({"127.0.0.1"})(url);
                   }));
  const absl::Status status = client.Open();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(std::string(status.message()), client.transport().name() + ": host sink: no");
  ASSERT_TRUE(client.Open().ok());
  EXPECT_EQ(*lookups, 2);
  EXPECT_EQ(client.SendAll({"in time"}), 0u);
  EXPECT_THAT(ReceiveText(*listener, 1), ElementsAre("in time"));
}

TEST(UdpTransportTest, NameThatResolvesLateDelaysNobodyLonger) {
  const auto listener = Listen("127.0.0.1");
  const auto answer = std::make_shared<std::promise<void>>();
  UdpClient client({"udp", "sink", listener->port()},
                   WithResolver([answer](const Url& url) -> Lookup::Addresses {
                     answer->get_future().wait();
                     return Always({"127.0.0.1"})(url);
                   }));
  const absl::Status status = client.Open(milliseconds(1));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("host sink is still being looked up"));
  EXPECT_TRUE(client.Close().ok());
  answer->set_value();
  ASSERT_TRUE(client.Open().ok());
  EXPECT_EQ(client.SendAll({"at last"}), 0u);
  EXPECT_THAT(ReceiveText(*listener, 1), ElementsAre("at last"));
}

// Checks until the session is over, or five seconds.
Transport::Result CheckUntilOver(UdpClient& client) {
  Transport::Result result;
  const auto deadline = Transport::Clock::now() + seconds(5);
  while (result.outcome == Outcome::kAll && Transport::Clock::now() < deadline) {
    std::this_thread::yield();
    result = client.transport().Check();
  }
  return result;
}

TEST(UdpTransportTest, NewAddressOfANameEndsTheSessionInOrder) {
  const auto listener = Listen("127.0.0.2");
  const Counter lookups = std::make_shared<std::atomic<int>>(0);
  UdpClient client({"udp", "sink", listener->port()},
                   WithResolver([lookups](const Url& url) -> Lookup::Addresses {
                     switch (++*lookups) {
                       case 1: return Always({"127.0.0.1"})(url);
                       case 2: return absl::UnavailableError("the resolver is away");
                       case 3: return Always({"127.0.0.3", "127.0.0.1"})(url);  // one more
                       default: return Always({"127.0.0.2"})(url);
                     }
                   }));
  ASSERT_TRUE(client.Open().ok());
  const Transport::Result result = CheckUntilOver(client);
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_GE(*lookups, 4);
  ASSERT_TRUE(client.Open().ok());
  EXPECT_EQ(client.SendAll({"to the new one"}), 0u);
  EXPECT_THAT(ReceiveText(*listener, 1), ElementsAre("to the new one"));
}

TEST(UdpTransportTest, LooksUpNoMoreOftenThanAllowed) {
  const Counter lookups = std::make_shared<std::atomic<int>>(0);
  UdpTransport::Options options = WithResolver([lookups](const Url& url) {
    ++*lookups;
    return Always({"127.0.0.1"})(url);
  });
  options.lookup_interval = std::chrono::hours(1);
  UdpClient client({"udp", "sink", 4739}, options);
  ASSERT_TRUE(client.Open().ok());
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(client.transport().Check().outcome, Outcome::kAll);
  ASSERT_TRUE(client.Open().ok());
  EXPECT_EQ(*lookups, 1);
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
  EXPECT_EQ(std::string(SendError("P", EMSGSIZE, 0, 1232).message()),
            "P: an earlier message is too long for the path, which takes 1232; set "
            "exporter.max_message_bytes to 1232");
}

}  // namespace
}  // namespace sockflow::transport
