// SPDX-License-Identifier: MIT

// What needs another network than this host's loopback: paths that are narrow, slow, or lead
// nowhere. Each test makes a network namespace of its own; skipped without root.

#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/transport/udp_test.h"

namespace sockflow::transport {
namespace {

using Outcome = Transport::Outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

// Runs `test` in a new network namespace after these shell commands; why not, if it cannot.
template <typename Test>
std::string InOwnNetwork(const std::string& commands, Test test) {
  std::string why_not;
  // A namespace is a thread's, and those of what it starts.
  std::thread([&] {
    if (unshare(CLONE_NEWNET) != 0) {
      why_not = std::string("no network namespace: ") + std::strerror(errno);
    } else if (std::system(("set -e; exec 2>/dev/null; " + commands).c_str()) != 0) {
      why_not = "these commands do not work here: " + commands;
    } else {
      test();
    }
  }).join();
  return why_not;
}

TEST(UdpNetworkTest, MessageThatIsTooLongForThePathIsLostAlone) {
  const std::string why_not = InOwnNetwork("ip link set lo mtu 1280 up", [] {
    for (const std::string host : {"127.0.0.1", "::1"}) {
      const auto listener = Listen(host);
      TakeRunsWhole(*listener);
      UdpClient client({"udp", host, listener->port()});
      ASSERT_TRUE(client.Open().ok());
      const std::vector<std::string> texts = TextsOf({100, 1400, 1400, 1400, 200, 200, 1300, 300});
      EXPECT_EQ(client.SendAll(texts), 4u);
      EXPECT_EQ(client.last_loss().code(), absl::StatusCode::kOutOfRange);
      EXPECT_THAT(std::string(client.last_loss().message()),
                  HasSubstr("a message of 1300 octets is too long for the path, which takes " +
                            std::to_string(host == "::1" ? 1232 : 1252)));
      EXPECT_EQ(ReceiveText(*listener, 3), std::vector({texts[0], texts[4] + texts[5], texts[7]}))
          << "runs that fit are still runs";
      EXPECT_TRUE(client.Close().ok());
    }
  });
  if (!why_not.empty()) GTEST_SKIP() << why_not;
}

// One octet a second leaves after the first 2000.
constexpr char kSlowLink[] =
    "ip link add v0 type veth peer name v1; ip link set v0 arp off; "
    "ip address add 192.0.2.1/24 dev v0; ip link set v0 up; ip link set v1 up; "
    "tc qdisc add dev v0 root tbf rate 8bit burst 2000 ";

TEST(UdpNetworkTest, FullSocketBufferWaitsAndThenIsBusy) {
  // There is room for all that waits.
  const std::string why_not = InOwnNetwork(
      std::string(kSlowLink) + "limit 100000000",
      [] {
        UdpClient client({"udp", "192.0.2.2", 4739});
        ASSERT_TRUE(client.Open().ok());
        const std::vector<std::string> texts = TextsOf(std::vector<size_t>(64, 1400));
        size_t accepted = 0;
        Transport::Result result;
        while (result.outcome == Outcome::kAll && accepted < 100'000) {
          result = client.Send(texts, milliseconds(1));
          accepted += result.accepted;
        }
        EXPECT_EQ(result.outcome, Outcome::kBusy);
        EXPECT_EQ(result.status.code(), absl::StatusCode::kResourceExhausted) << result.status;
        // Whoever waits can be woken.
        client.waiter().Wake();
        EXPECT_EQ(client.Send(texts, std::chrono::hours(1)).outcome, Outcome::kBusy);
        // And goes on when there is room.
        ASSERT_EQ(std::system("tc qdisc replace dev v0 root pfifo"), 0);
        EXPECT_EQ(client.SendAll(texts), 0u);
      });
  if (!why_not.empty()) GTEST_SKIP() << why_not;
}

TEST(UdpNetworkTest, FullQueueOfTheInterfaceIsBusyToo) {
  const std::string why_not = InOwnNetwork(
      std::string(kSlowLink) + "limit 10000",
      [] {
        UdpClient client({"udp", "192.0.2.2", 4739});
        ASSERT_TRUE(client.Open().ok());
        const std::vector<std::string> texts = TextsOf({1000, 900, 1000, 900, 1000, 900, 1000, 900,
                                                        1000, 900, 1000, 900, 1000, 900, 1000});
        const Transport::Result result = client.Send(texts, milliseconds(5));
        EXPECT_EQ(result.outcome, Outcome::kBusy);
        EXPECT_EQ(result.status.code(), absl::StatusCode::kAborted) << result.status;
        EXPECT_GT(result.accepted, 5u);
        EXPECT_LT(result.accepted, texts.size());
        client.waiter().Wake();
        EXPECT_EQ(client.Send(texts, std::chrono::hours(1)).outcome, Outcome::kBusy);
        ASSERT_EQ(std::system("tc qdisc replace dev v0 root pfifo"), 0);
        EXPECT_EQ(client.SendAll(texts), 0u);
      });
  if (!why_not.empty()) GTEST_SKIP() << why_not;
}

TEST(UdpNetworkTest, HostThatIsAwayIsReported) {
  // Nobody answers ARP, which gives up after 10 ms.
  const std::string why_not = InOwnNetwork(
      "ip link add v0 type veth peer name v1; ip address add 192.0.2.1/24 dev v0; "
      "ip link set lo up; ip link set v0 up; ip link set v1 up; cd /proc/sys/net/ipv4/neigh/v0; "
      "echo 1 > mcast_solicit; echo 10 > retrans_time_ms",
      [] {
        UdpClient client({"udp", "192.0.2.2", 4739});
        ASSERT_TRUE(client.Open().ok());
        // As a run: they wait for ARP and fail together.
        EXPECT_EQ(client.SendAll(TextsOf({100, 100, 100})), 0u);
        size_t lost = 0;
        size_t sent = 3;
        const auto deadline = Transport::Clock::now() + seconds(5);
        while (lost < 3 && Transport::Clock::now() < deadline) {
          lost += client.SendAll({"one more"});
          ++sent;
          std::this_thread::yield();
        }
        EXPECT_GE(lost, 3u);
        EXPECT_LE(lost, sent);
        EXPECT_EQ(client.last_loss().code(), absl::StatusCode::kNotFound) << client.last_loss();
      });
  if (!why_not.empty()) GTEST_SKIP() << why_not;
}

}  // namespace
}  // namespace sockflow::transport
