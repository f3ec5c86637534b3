// SPDX-License-Identifier: MIT
#include "transport/tcp_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ioctl.h>

#include <atomic>
#include <thread>

#include "tests/unit/transport/collector_end.h"

namespace sockflow::transport {
namespace {

using ::testing::HasSubstr;
using std::chrono::milliseconds;
using Outcome = Transport::Outcome;

std::atomic<int> pipe_signals = 0;

class TcpTransportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    pipe_signals = 0;
    previous_ = signal(SIGPIPE, [](int) { ++pipe_signals; });
  }
  void TearDown() override {
    signal(SIGPIPE, previous_);
    EXPECT_EQ(pipe_signals, 0);
  }

  // Opens a session; the collector's end of it.
  Socket Connect(TcpTransport& transport, CollectorEnd& collector) {
    const absl::Status status = transport.Open(*waiter_, Soon());
    EXPECT_TRUE(status.ok()) << status;
    return collector.Accept();
  }

  Transport::Result SendOne(Transport& transport) {
    const std::span<const uint8_t> message(message_);
    return transport.Send({&message, 1}, *waiter_, Soon());
  }

  std::unique_ptr<Waiter> waiter_ = MakeWaiter();
  std::vector<uint8_t> message_ = std::vector<uint8_t>(1000, 'm');

 private:
  sighandler_t previous_ = nullptr;
};

TEST_F(TcpTransportTest, MessagesArriveWholeAndInOrder) {
  CollectorEnd collector;
  TcpTransport transport(collector.url());
  Socket peer = Connect(transport, collector);
  auto messages = NumberedMessages(4000, 1400);
  for (size_t i = 0; i < messages.size(); i += 100) messages[i].resize(60'000, 'x');
  const std::string expected = Concatenation(messages);
  std::string received;
  std::thread reader([&] { received = Read(peer, expected.size() + 1); });
  const auto result = SendAll(transport, *waiter_, Spans(messages));
  EXPECT_EQ(result.outcome, Outcome::kAll) << result.status;
  EXPECT_EQ(result.accepted, messages.size());
  // The FIN ends what the collector reads.
  std::thread closer([&] {
    reader.join();
    peer = Socket(-1);
  });
  const absl::Status closed = transport.Close(*waiter_, Soon());
  closer.join();
  EXPECT_TRUE(closed.ok()) << closed;
  EXPECT_EQ(transport.unconfirmed(), 0u);
  EXPECT_TRUE(received == expected);
  EXPECT_EQ(transport.fd(), -1);
}

TEST_F(TcpTransportTest, FinishesAMessageThatWasBegun) {
  CollectorEnd collector(4096);
  TcpTransport transport(collector.url());
  Socket peer = Connect(transport, collector);
  const std::vector<uint8_t> large(60'000, 'l');
  const size_t sent = SendUntilBusy(transport, *waiter_, large);
  ASSERT_GT(sent, 1u);
  std::string received;
  std::thread reader([&] { received = Read(peer, sent * large.size()); });
  // No message, so that the rest is sent.
  const auto result = transport.Send({}, *waiter_, Soon());
  EXPECT_EQ(result.outcome, Outcome::kAll) << result.status;
  reader.join();
  EXPECT_TRUE(received == std::string(sent * large.size(), 'l'));
}

TEST_F(TcpTransportTest, TellsWhatACollectorThatResetsHasNotAcknowledged) {
  CollectorEnd collector(4096);
  TcpTransport transport(collector.url());
  Socket peer = Connect(transport, collector);
  const size_t sent = SendUntilBusy(transport, *waiter_, message_);
  // What the collector's kernel has is what it acknowledged, now or, the acknowledgement being
  // delayed, soon.
  const auto expected = [&] {
    int octets = 0;
    ioctl(peer.fd(), FIONREAD, &octets);
    return sent - static_cast<size_t>(octets) / message_.size();
  };
  const auto limit = Soon();
  while (transport.unconfirmed() != expected() && Now() < limit) std::this_thread::yield();
  const size_t unconfirmed = transport.unconfirmed();
  ASSERT_EQ(unconfirmed, expected());
  EXPECT_GT(unconfirmed, 1u);
  EXPECT_LT(unconfirmed, sent);

  Reset(peer);
  AwaitNews(transport, *waiter_);
  const auto result = SendOne(transport);
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_EQ(result.accepted, 0u);
  EXPECT_EQ(Text(result.status), transport.name() +
                                     ": the connection was reset by the collector; its log may say "
                                     "why");
  EXPECT_EQ(transport.unconfirmed(), unconfirmed);
  EXPECT_EQ(transport.fd(), -1);
  EXPECT_TRUE(transport.Close(*waiter_, Soon()).ok());
  EXPECT_EQ(transport.unconfirmed(), unconfirmed);

  peer = Connect(transport, collector);
  EXPECT_EQ(transport.unconfirmed(), 0u);
  EXPECT_EQ(SendOne(transport).outcome, Outcome::kAll);
  EXPECT_EQ(Read(peer, message_.size()), std::string(message_.size(), 'm'));
}

TEST_F(TcpTransportTest, ACollectorThatClosesEndsTheSession) {
  CollectorEnd collector;
  TcpTransport transport(collector.url());
  { const Socket peer = Connect(transport, collector); }
  AwaitNews(transport, *waiter_);
  const auto result = SendOne(transport);
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_EQ(result.accepted, 0u);
  EXPECT_EQ(Text(result.status), transport.name() +
                                     ": the connection was closed by the collector; its log may say "
                                     "why");
  EXPECT_EQ(transport.unconfirmed(), 0u);
  const auto after = SendOne(transport);
  EXPECT_EQ(after.outcome, Outcome::kSessionOver);
  EXPECT_EQ(Text(after.status), transport.name() + ": there is no session");

  { const Socket peer = Connect(transport, collector); }
  AwaitNews(transport, *waiter_);
  EXPECT_EQ(transport.Check().outcome, Outcome::kSessionOver);
}

TEST_F(TcpTransportTest, WhatIsOnItsWayToACollectorThatClosesIsConfirmedLater) {
  CollectorEnd collector(4096);
  TcpTransport transport(collector.url());
  const Socket peer = Connect(transport, collector);
  // All of them written, none kept, so that the collector can have them all.
  size_t sent = 0;
  for (; sent < 64; ++sent) ASSERT_EQ(SendOne(transport).outcome, Outcome::kAll);
  shutdown(peer.fd(), SHUT_WR);
  AwaitNews(transport, *waiter_);
  EXPECT_EQ(transport.Check().outcome, Outcome::kSessionOver);
  EXPECT_GT(transport.unconfirmed(), 0u);
  EXPECT_EQ(Read(peer, sent * message_.size() + 1).size(), sent * message_.size());
  const auto limit = Soon();
  while (transport.unconfirmed() > 0 && Now() < limit) std::this_thread::yield();
  EXPECT_EQ(transport.unconfirmed(), 0u);
}

TEST_F(TcpTransportTest, ACollectorThatNeverReadsMakesItBusyAndThenCloseGivesUp) {
  CollectorEnd collector(4096);
  TcpTransport transport(collector.url());
  const Socket peer = Connect(transport, collector);
  SendUntilBusy(transport, *waiter_, message_);
  const auto begin = Now();
  const std::span<const uint8_t> message(message_);
  const auto result = transport.Send({&message, 1}, *waiter_, begin + milliseconds(20));
  EXPECT_EQ(result.outcome, Outcome::kBusy) << result.status;
  EXPECT_EQ(result.accepted, 0u);
  EXPECT_GE(Now() - begin, milliseconds(20));

  const auto close_begin = Now();
  const absl::Status status = transport.Close(*waiter_, close_begin + milliseconds(50));
  EXPECT_GE(Now() - close_begin, milliseconds(50));
  EXPECT_GT(transport.unconfirmed(), 0u);
  EXPECT_EQ(Text(status), transport.name() +
                              ": the collector did not take everything before the deadline; see "
                              "whether it still reads (the last " +
                              std::to_string(transport.unconfirmed()) + " messages may be lost)");
}

TEST_F(TcpTransportTest, CloseWaitsForAcknowledgementsButNotForACollectorThatStaysOpen) {
  CollectorEnd collector(4096);
  TcpTransport transport(collector.url());
  const Socket peer = Connect(transport, collector);
  const size_t sent = SendUntilBusy(transport, *waiter_, message_);
  std::string received;
  std::thread reader([&] { received = Read(peer, sent * message_.size() + 1); });
  const absl::Status status = transport.Close(*waiter_, Soon());
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(transport.unconfirmed(), 0u);
  reader.join();
  EXPECT_EQ(received.size(), sent * message_.size());
}

TEST_F(TcpTransportTest, CloseTellsOfAResetWhileItWaits) {
  CollectorEnd collector(4096);
  TcpTransport transport(collector.url());
  Socket peer = Connect(transport, collector);
  SendUntilBusy(transport, *waiter_, message_);
  Reset(peer);
  const absl::Status status = transport.Close(*waiter_, Soon());
  EXPECT_THAT(Text(status),
              HasSubstr("the connection was reset by the collector; its log may say why (the last"));
}

TEST_F(TcpTransportTest, AWakeEndsSendButNotClose) {
  CollectorEnd collector(4096);
  TcpTransport transport(collector.url());
  Socket peer = Connect(transport, collector);
  const size_t sent = SendUntilBusy(transport, *waiter_, message_);
  waiter_->Wake();
  const auto begin = Now();
  EXPECT_EQ(SendOne(transport).outcome, Outcome::kBusy);
  EXPECT_LT(Now() - begin, std::chrono::seconds(5));
  waiter_->Wake();
  std::thread reader([&] {
    Read(peer, sent * message_.size() + 1);
    peer = Socket(-1);
  });
  EXPECT_TRUE(transport.Close(*waiter_, Soon()).ok());
  reader.join();
}

TEST_F(TcpTransportTest, ForgetsAndCountsWhatTheCollectorSays) {
  CollectorEnd collector;
  TcpTransport transport(collector.url());
  const Socket peer = Connect(transport, collector);
  ASSERT_EQ(send(peer.fd(), "hello", 5, 0), 5);
  AwaitNews(transport, *waiter_);
  EXPECT_EQ(transport.Check().outcome, Outcome::kAll);
  EXPECT_EQ(transport.received_octets(), 5u);
  ASSERT_EQ(send(peer.fd(), "again", 5, 0), 5);
  AwaitNews(transport, *waiter_);
  EXPECT_EQ(SendOne(transport).outcome, Outcome::kAll);
  EXPECT_EQ(transport.received_octets(), 10u);
  EXPECT_EQ(Read(peer, message_.size()), std::string(message_.size(), 'm'));
}

TEST_F(TcpTransportTest, ACollectorThatTalksWithoutEndDoesNotHoldASend) {
  CollectorEnd collector(4096);
  TcpTransport transport(collector.url());
  const Socket peer = Connect(transport, collector);
  std::atomic<bool> stop = false;
  std::thread talker([&] {
    const std::string noise(16384, 'n');
    while (!stop) send(peer.fd(), noise.data(), noise.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  });
  SendUntilBusy(transport, *waiter_, message_);
  const auto begin = Now();
  const std::span<const uint8_t> message(message_);
  EXPECT_EQ(transport.Send({&message, 1}, *waiter_, begin + milliseconds(20)).outcome,
            Outcome::kBusy);
  EXPECT_LT(Now() - begin, std::chrono::seconds(5));
  stop = true;
  talker.join();
}

TEST_F(TcpTransportTest, NamesARefusal) {
  CollectorEnd collector;
  TcpTransport transport(collector.url());
  collector.Stop();
  const absl::Status status = transport.Open(*waiter_, Soon());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Text(status), transport.name() + ": cannot connect to " +
                              collector.address().ToString() +
                              ": Connection refused; start the collector or correct its address");
  EXPECT_EQ(transport.fd(), -1);
  EXPECT_EQ(transport.Check().outcome, Outcome::kAll);
  EXPECT_TRUE(transport.Close(*waiter_, Soon()).ok());
}

TEST_F(TcpTransportTest, NamesANameThatFails) {
  TcpTransport transport({"tcp", "sink", 4739}, [](const Url&) -> Lookup::Addresses {
    return absl::UnavailableError("host sink cannot be looked up: no; check the name");
  });
  EXPECT_EQ(Text(transport.Open(*waiter_, Soon())),
            "tcp://sink:4739: host sink cannot be looked up: no; check the name");
}

// A collector whose host drops what is sent to it: its queue of connections is full.
class SilentCollector {
 public:
  SilentCollector() : end_(0, 0) {
    const SocketAddress address = end_.address();
    // One more than the queue holds; a connection that succeeds takes a place in it.
    for (int i = 0; i < 8; ++i) {
      int error = 0;
      fillers_.push_back(OpenTcp(address, error));
      Connect(fillers_.back(), address);
      if (MakeWaiter()->Wait(fillers_.back().fd(), Waiter::kWritable, Now() + milliseconds(50)) ==
          0) {
        return;
      }
    }
    ADD_FAILURE() << "the queue is never full";
  }
  SocketAddress address() const { return end_.address(); }

 private:
  CollectorEnd end_;
  std::vector<Socket> fillers_;
};

TEST_F(TcpTransportTest, TriesEveryAddressAndNoneUsesUpTheTimeOfTheNext) {
  CollectorEnd refusing;
  const SocketAddress refused = refusing.address();
  refusing.Stop();
  const SilentCollector silent;
  CollectorEnd collector;
  TcpTransport transport({"tcp", "sink", 4739}, [&](const Url&) -> Lookup::Addresses {
    return std::vector<SocketAddress>{refused, silent.address(), collector.address()};
  });
  const absl::Status status = transport.Open(*waiter_, Now() + milliseconds(400));
  ASSERT_TRUE(status.ok()) << status;
  { const Socket peer = collector.Accept(); }
  AwaitNews(transport, *waiter_);
  EXPECT_EQ(Text(transport.Check().status),
            "tcp://sink:4739 (" + collector.address().ToString() +
                "): the connection was closed by the collector; its log may say why");

  collector.Stop();
  EXPECT_EQ(Text(transport.Open(*waiter_, Now() + milliseconds(100))),
            "tcp://sink:4739: cannot connect to " + refused.ToString() + ": Connection refused, " +
                silent.address().ToString() + ": Connection timed out, " +
                collector.address().ToString() +
                ": Connection refused; start the collector or correct its address");
}

TEST_F(TcpTransportTest, AWakeEndsConnecting) {
  const SilentCollector silent;
  TcpTransport transport({"tcp", "127.0.0.1", silent.address().port()});
  waiter_->Wake();
  const absl::Status status = transport.Open(*waiter_, Soon());
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Text(status), transport.name() + ": connecting was interrupted");
}

TEST_F(TcpTransportTest, NamesEveryEndOfAConnection) {
  EXPECT_EQ(Text(ConnectionError("P", ETIMEDOUT)),
            "P: the connection broke: Connection timed out; check that its host is up and that no "
            "firewall drops what is sent there");
  EXPECT_EQ(Text(ConnectionError("P", EHOSTUNREACH)),
            "P: the connection broke: No route to host; check the network and the routing table");
  EXPECT_EQ(Text(ConnectionError("P", EPERM)),
            "P: the connection broke: Operation not permitted; allow it in this host's firewall");
  EXPECT_EQ(Text(ConnectionError("P", EIO)),
            "P: the connection broke: Input/output error; check its address and the network");
}

}  // namespace
}  // namespace sockflow::transport
