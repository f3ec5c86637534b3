// SPDX-License-Identifier: MIT
// The way from the kernel to the agent: loss is counted, starts are made good, wakeups are few.
#include <unistd.h>

#include "tests/kernel/kernel_test.h"

namespace sockflow::testing {
namespace {

using RingBufferTest = KernelTest;

void MakeSessions(int listener, uint16_t port, int count) {
  for (int i = 0; i < count; ++i) {
    const int client = Connect(Family::kV4, port);
    const int server = Accept(listener);
    CloseWithReset(client);
    close(server);
  }
}

TEST_F(RingBufferTest, OverflowIsCountedAndWhatArrivesIsWhole) {
  Attach({.ring_buffer_octets = 4096});
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  constexpr uint64_t kSessions = 50;
  MakeSessions(listener, port, kSessions);  // nobody reads meanwhile
  CollectFor(std::chrono::milliseconds(100));
  const uint64_t lost = Lost("ring_buffer_full_start") + Lost("ring_buffer_full_close");
  EXPECT_GT(lost, 0u);
  EXPECT_GT(Lost("ring_buffer_full_close"), 0u);
  // A start and an end for both sides of each session, besides other traffic of the host.
  EXPECT_GE(Events(port).size() + lost, 4 * kSessions);
  close(listener);
}

TEST_F(RingBufferTest, LostStartIsMadeGoodFromTheEnd) {
  Attach({.ring_buffer_octets = 4096});
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  MakeSessions(listener, port, 30);  // fills it
  const int client = Connect(Family::kV4, port);
  const int server = Accept(listener);
  SendAll(client, 12);
  ReceiveAll(server, 12);
  CollectFor(std::chrono::milliseconds(50));  // empties it
  sockaddr_in address;
  socklen_t length = sizeof(address);
  ASSERT_EQ(getsockname(client, reinterpret_cast<sockaddr*>(&address), &length), 0);
  const uint16_t client_port = ntohs(address.sin_port);
  EXPECT_TRUE(Records(client_port).empty()) << "the start was to be lost";
  close(client);
  ReceiveToEnd(server);
  close(server);
  CollectEnds(client_port, 2);
  const Session session = TheSession(client_port, Direction::kActive);
  EXPECT_THAT(session, IsOwnedBy(getpid(), "kernel_test"));
  EXPECT_EQ(session.tcp.octets_sent, 12u);
  EXPECT_LT(session.started, session.ended);
  EXPECT_THAT(TheSession(client_port, Direction::kPassive), IsOwnedBy(getpid(), "kernel_test"));
  close(listener);
}

TEST_F(RingBufferTest, WakeupsAreFewerThanEvents) {
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  Actor load("load", [listener, port] {
    MakeSessions(listener, port, 2000);
    return 0;
  });
  const uint64_t before = source_->wakeups();
  CollectEnds(port, 4000);
  ASSERT_EQ(load.Join(), 0);
  const uint64_t wakeups = source_->wakeups() - before;
  const size_t events = Events(port).size();
  RecordProperty("events", static_cast<int>(events));
  RecordProperty("wakeups", static_cast<int>(wakeups));
  EXPECT_GE(events, 8000u);
  EXPECT_LT(wakeups, events / 20);
  close(listener);
}

TEST_F(RingBufferTest, AnEventWakesASleeper) {
  CollectFor(std::chrono::milliseconds(100));  // now it sleeps rather than naps
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  Actor client("sleeper-client", [port] {
    usleep(100'000);
    close(Connect(Family::kV4, port));
    return 0;
  });
  const auto begin = std::chrono::steady_clock::now();
  bool seen = false;
  while (!seen && std::chrono::steady_clock::now() - begin < std::chrono::seconds(5)) {
    ASSERT_TRUE(source_
                    ->Poll(std::chrono::seconds(5),
                           [&](const SessionEvent& event) {
                             seen = seen || event.remote.port == port;
                           })
                    .ok());
  }
  EXPECT_TRUE(seen);
  // By itself it would have come back after a second.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(900));
  client.Join();
  close(Accept(listener));
  close(listener);
}

TEST_F(RingBufferTest, WakeEndsAPoll) {
  CollectFor(std::chrono::milliseconds(100));
  source_->Wake();
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(source_->Poll(std::chrono::seconds(5), [](const SessionEvent&) {}).ok());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(900));
}

}  // namespace
}  // namespace sockflow::testing
