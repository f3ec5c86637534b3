// SPDX-License-Identifier: MIT
#include "transport/sctp_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <ctime>
#include <optional>
#include <thread>

#include "tests/unit/transport/sctp_collector.h"

namespace sockflow::transport {
namespace {

using ::testing::HasSubstr;
using std::chrono::milliseconds;
using Outcome = Transport::Outcome;

template <typename T>
T SctpOption(int fd, int option) {
  T value{};
  socklen_t length = sizeof(value);
  EXPECT_EQ(getsockopt(fd, IPPROTO_SCTP, option, &value, &length), 0) << std::strerror(errno);
  return value;
}

sctp_assoc_stats AssociationStats(const Socket& peer) {
  return SctpOption<sctp_assoc_stats>(peer.fd(), SCTP_GET_ASSOC_STATS);
}

// A message that begins, wherever one looks, as the notification does that brings it back.
std::vector<uint8_t> Repeated(size_t octets) {
  std::vector<uint8_t> message(octets);
  const uint16_t type = SCTP_SEND_FAILED;
  for (size_t i = 0; i < octets; i += sizeof(type)) std::memcpy(&message[i], &type, sizeof(type));
  return message;
}

double ThreadCpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

class SctpTransportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const int error = SctpRefusal(); error != 0) {
      GTEST_SKIP() << "this kernel has no SCTP (" << std::strerror(error)
                   << "); the test vm_sctp has one";
    }
  }

  Socket Connect(SctpTransport& transport, SctpCollector& collector) {
    const absl::Status status = transport.Open(*waiter_, Soon());
    EXPECT_TRUE(status.ok()) << status;
    return collector.Accept();
  }

  Transport::Result SendOne(Transport& transport) {
    const std::span<const uint8_t> message(message_);
    return transport.Send({&message, 1}, *waiter_, Soon());
  }

  std::unique_ptr<Waiter> waiter_ = MakeWaiter();
  std::vector<uint8_t> message_ = Repeated(1400);
};

TEST(SctpAbsentTest, OpenSaysWhatToDoWhereTheKernelHasNone) {
  const int error = SctpRefusal();
  if (error == 0) GTEST_SKIP() << "this kernel has SCTP";
  SctpTransport transport({"sctp", "127.0.0.1", 4739});
  const absl::Status status = transport.Open(*MakeWaiter(), Soon());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Text(status),
            std::string("sctp://127.0.0.1:4739: cannot connect to 127.0.0.1:4739: ") +
                std::strerror(error) +
                "; this kernel has no SCTP: load its module (modprobe sctp), or use tcp://");
  EXPECT_EQ(transport.fd(), -1);
  EXPECT_EQ(transport.unconfirmed(), 0u);
}

TEST_F(SctpTransportTest, EachMessageIsOneUserMessageInOrderAndCloseIsAnOrderlyShutdown) {
  SctpCollector collector;
  SctpTransport transport(collector.url());
  const Socket peer = Connect(transport, collector);
  EXPECT_EQ(SctpOption<sctp_status>(transport.fd(), SCTP_STATUS).sstat_outstrms, 1);
  auto messages = NumberedMessages(300, 1400);
  for (size_t i = 0; i < messages.size(); i += 50) messages[i].resize(65535, 'x');
  std::vector<std::vector<uint8_t>> received;
  int end = -1;
  std::thread reader([&] {
    while (auto message = ReceiveMessage(peer)) received.push_back(*std::move(message));
    // 0 for the end of a shutdown; an abort is an error.
    char octet;
    end = static_cast<int>(recv(peer.fd(), &octet, 1, 0));
  });
  const auto result = SendAll(transport, *waiter_, Spans(messages));
  EXPECT_EQ(result.outcome, Outcome::kAll) << result.status;
  EXPECT_EQ(result.accepted, messages.size());
  const absl::Status closed = transport.Close(*waiter_, Soon());
  reader.join();
  EXPECT_TRUE(closed.ok()) << closed;
  EXPECT_EQ(transport.unconfirmed(), 0u);
  EXPECT_EQ(end, 0);
  ASSERT_EQ(received.size(), messages.size());
  for (size_t i = 0; i < messages.size(); ++i) ASSERT_TRUE(received[i] == messages[i]) << i;
  EXPECT_EQ(transport.fd(), -1);
}

TEST_F(SctpTransportTest, WhatIsAcknowledgedIsConfirmed) {
  SctpCollector collector;
  SctpTransport transport(collector.url());
  const Socket peer = Connect(transport, collector);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(SendOne(transport).outcome, Outcome::kAll);
  const auto limit = Soon();
  while (transport.unconfirmed() > 0 && Now() < limit) std::this_thread::yield();
  EXPECT_EQ(transport.unconfirmed(), 0u);
  // The end is then seen, not waited for.
  const auto begin = Now();
  EXPECT_TRUE(transport.Close(*waiter_, Soon()).ok());
  EXPECT_LT(Now() - begin, milliseconds(900));
}

TEST_F(SctpTransportTest, AnAbortLeavesWhatTheCollectorDoesNotHave) {
  SctpCollector collector(8192);
  SctpTransport transport(collector.url());
  Socket peer = Connect(transport, collector);
  const size_t sent = SendUntilBusy(transport, *waiter_, message_);
  EXPECT_GE(transport.unconfirmed(), 1u);
  const size_t arrived = AssociationStats(peer).sas_iodchunks;
  EXPECT_GE(arrived, 1u);

  Reset(peer);
  AwaitNews(transport, *waiter_);
  const auto result = SendOne(transport);
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_EQ(result.accepted, 0u);
  EXPECT_EQ(Text(result.status), transport.name() +
                                     ": the connection was reset by the collector; its log may say "
                                     "why");
  EXPECT_EQ(transport.fd(), -1);
  // None that did not arrive is taken for one that did; of those that did the acknowledgements of the
  // last may have been delayed.
  const size_t unconfirmed = transport.unconfirmed();
  EXPECT_GE(unconfirmed, sent - arrived);
  EXPECT_LE(unconfirmed, sent - arrived + 4);
  EXPECT_TRUE(transport.Close(*waiter_, Soon()).ok());
  EXPECT_EQ(transport.unconfirmed(), unconfirmed);

  peer = Connect(transport, collector);
  EXPECT_EQ(transport.unconfirmed(), 0u);
  EXPECT_EQ(SendOne(transport).outcome, Outcome::kAll);
  EXPECT_EQ(ReceiveMessage(peer), message_);
}

TEST_F(SctpTransportTest, AnAbortLongAfterTheLastAcknowledgementLeavesNothing) {
  SctpCollector collector;
  SctpTransport transport(collector.url());
  Socket peer = Connect(transport, collector);
  ASSERT_EQ(SendOne(transport).outcome, Outcome::kAll);
  EXPECT_EQ(ReceiveMessage(peer), message_);
  const auto limit = Soon();
  while (transport.unconfirmed() > 0 && Now() < limit) std::this_thread::yield();
  Reset(peer);
  AwaitNews(transport, *waiter_);
  const auto result = transport.Check();
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_THAT(Text(result.status), HasSubstr("was reset by the collector"));
  EXPECT_EQ(transport.unconfirmed(), 0u);
}

TEST_F(SctpTransportTest, ALongMessageThatIsAbortedIsOneMessage) {
  SctpCollector collector(8192);
  SctpTransport transport(collector.url());
  Socket peer = Connect(transport, collector);
  const size_t sent = SendUntilBusy(transport, *waiter_, Repeated(60'000));
  ASSERT_GT(sent, 1u);
  Reset(peer);
  AwaitNews(transport, *waiter_);
  EXPECT_EQ(transport.Check().outcome, Outcome::kSessionOver);
  EXPECT_EQ(transport.unconfirmed(), sent);
}

TEST_F(SctpTransportTest, ACollectorThatShutsDownAndThenDiesLeavesWhatItDoesNotHave) {
  SctpCollector collector(8192);
  SctpTransport transport(collector.url());
  Socket peer = Connect(transport, collector);
  const size_t sent = SendUntilBusy(transport, *waiter_, message_);
  shutdown(peer.fd(), SHUT_WR);
  AwaitNews(transport, *waiter_);
  const int fd = transport.fd();
  EXPECT_EQ(transport.Check().outcome, Outcome::kSessionOver);
  const size_t arrived = AssociationStats(peer).sas_iodchunks;
  Reset(peer);
  // Until the association is gone.
  sctp_status status{};
  socklen_t length = sizeof(status);
  const auto limit = Soon();
  while (getsockopt(fd, IPPROTO_SCTP, SCTP_STATUS, &status, &length) == 0 && Now() < limit) {
    std::this_thread::yield();
  }
  EXPECT_GE(transport.unconfirmed(), sent - arrived);
  EXPECT_LT(transport.unconfirmed(), sent);
}

TEST_F(SctpTransportTest, ACollectorThatShutsDownEndsTheSession) {
  SctpCollector collector;
  SctpTransport transport(collector.url());
  { const Socket peer = Connect(transport, collector); }
  AwaitNews(transport, *waiter_);
  const auto result = SendOne(transport);
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_EQ(result.accepted, 0u);
  EXPECT_EQ(Text(result.status), transport.name() +
                                     ": the connection was closed by the collector; its log may say "
                                     "why");
  EXPECT_EQ(transport.unconfirmed(), 0u);
  EXPECT_EQ(Text(SendOne(transport).status), transport.name() + ": there is no session");

  { const Socket peer = Connect(transport, collector); }
  AwaitNews(transport, *waiter_);
  EXPECT_EQ(transport.Check().outcome, Outcome::kSessionOver);
}

TEST_F(SctpTransportTest, WhatIsOnItsWayToACollectorThatShutsDownIsConfirmedLater) {
  SctpCollector collector(8192);
  SctpTransport transport(collector.url());
  const Socket peer = Connect(transport, collector);
  size_t sent = 0;
  for (; sent < 16; ++sent) ASSERT_EQ(SendOne(transport).outcome, Outcome::kAll);
  EXPECT_GT(transport.unconfirmed(), 0u);
  shutdown(peer.fd(), SHUT_WR);
  AwaitNews(transport, *waiter_);
  EXPECT_EQ(transport.Check().outcome, Outcome::kSessionOver);
  for (size_t i = 0; i < sent; ++i) ASSERT_EQ(ReceiveMessage(peer), message_) << i;
  EXPECT_EQ(ReceiveMessage(peer), std::nullopt);
  const auto limit = Soon();
  while (transport.unconfirmed() > 0 && Now() < limit) std::this_thread::yield();
  EXPECT_EQ(transport.unconfirmed(), 0u);
}

// The virtual machine runs this one also where the kernel has no memory for SCTP: it says then that there
// is room, and takes nothing.
TEST_F(SctpTransportTest, ASendThatFindsNoRoomWaitsAndDoesNotPoll) {
  SctpCollector collector(8192);
  SctpTransport transport(collector.url());
  const Socket peer = Connect(transport, collector);
  const std::span<const uint8_t> message(message_);
  Transport::Result result;
  Transport::Clock::time_point begin;
  double cpu_seconds = 0;
  // Longer than an acknowledgement is delayed, which makes room.
  const milliseconds patience(300);
  do {
    begin = Now();
    cpu_seconds = -ThreadCpuSeconds();
    result = transport.Send({&message, 1}, *waiter_, begin + patience);
    cpu_seconds += ThreadCpuSeconds();
  } while (result.outcome == Outcome::kAll);
  EXPECT_EQ(result.outcome, Outcome::kBusy) << result.status;
  EXPECT_EQ(result.accepted, 0u);
  EXPECT_GE(Now() - begin, patience);
  EXPECT_LT(cpu_seconds, 0.1);
}

TEST_F(SctpTransportTest, CloseGivesUpOnACollectorThatNeverReads) {
  SctpCollector collector(8192);
  SctpTransport transport(collector.url());
  const Socket peer = Connect(transport, collector);
  SendUntilBusy(transport, *waiter_, message_);
  const auto begin = Now();
  const absl::Status status = transport.Close(*waiter_, begin + milliseconds(50));
  EXPECT_GE(Now() - begin, milliseconds(50));
  EXPECT_GT(transport.unconfirmed(), 0u);
  EXPECT_EQ(Text(status), transport.name() +
                              ": the collector did not take everything before the deadline; see "
                              "whether it still reads (the last " +
                              std::to_string(transport.unconfirmed()) + " messages may be lost)");
}

TEST_F(SctpTransportTest, CloseWaitsUntilEverythingIsAcknowledged) {
  SctpCollector collector;
  SctpTransport transport(collector.url());
  const Socket peer = Connect(transport, collector);
  const size_t sent = SendUntilBusy(transport, *waiter_, message_);
  size_t received = 0;
  std::thread reader([&] {
    while (ReceiveMessage(peer).has_value()) ++received;
  });
  const absl::Status status = transport.Close(*waiter_, Soon());
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(transport.unconfirmed(), 0u);
  reader.join();
  EXPECT_EQ(received, sent);
}

TEST_F(SctpTransportTest, CloseTellsOfAnAbortWhileItWaits) {
  SctpCollector collector(8192);
  SctpTransport transport(collector.url());
  Socket peer = Connect(transport, collector);
  SendUntilBusy(transport, *waiter_, message_);
  std::thread aborter([&, fd = transport.fd()] {
    // Not before Close has asked for the end: nothing more can be sent then.
    while (SctpOption<sctp_status>(fd, SCTP_STATUS).sstat_state == SCTP_ESTABLISHED) {
      std::this_thread::yield();
    }
    Reset(peer);
  });
  const auto begin = Now();
  const absl::Status status = transport.Close(*waiter_, Soon());
  aborter.join();
  EXPECT_LT(Now() - begin, std::chrono::seconds(5));
  EXPECT_THAT(Text(status),
              HasSubstr("the connection was reset by the collector; its log may say why (the last"));
  EXPECT_GT(transport.unconfirmed(), 0u);
}

TEST_F(SctpTransportTest, AMessageThatIsTooLongIsLostAloneAndTheSessionGoesOn) {
  SctpCollector collector;
  SctpTransport transport(collector.url());
  const Socket peer = Connect(transport, collector);
  const std::vector<uint8_t> too_long(4 << 20, 'l');
  const std::span<const uint8_t> messages[] = {message_, too_long, message_};
  auto result = transport.Send(messages, *waiter_, Soon());
  EXPECT_EQ(result.outcome, Outcome::kMessageLost);
  EXPECT_EQ(result.accepted, 1u);
  EXPECT_EQ(result.status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(Text(result.status), transport.name() +
                                     ": a message is longer than the socket's send buffer; raise "
                                     "net.core.wmem_max, or lower exporter.max_message_bytes");
  EXPECT_EQ(SendOne(transport).outcome, Outcome::kAll);
  EXPECT_EQ(ReceiveMessage(peer), message_);
  EXPECT_EQ(ReceiveMessage(peer), message_);
}

TEST_F(SctpTransportTest, ForgetsAndCountsWhatTheCollectorSays) {
  SctpCollector collector;
  SctpTransport transport(collector.url());
  const Socket peer = Connect(transport, collector);
  const std::string news(10'000, 'n');
  ASSERT_EQ(send(peer.fd(), news.data(), news.size(), 0), static_cast<ssize_t>(news.size()));
  AwaitNews(transport, *waiter_);
  const auto limit = Soon();
  while (transport.received_octets() < news.size() && Now() < limit) {
    EXPECT_EQ(transport.Check().outcome, Outcome::kAll);
  }
  EXPECT_EQ(transport.received_octets(), news.size());
  EXPECT_EQ(SendOne(transport).outcome, Outcome::kAll);
  EXPECT_EQ(ReceiveMessage(peer), message_);
}

TEST_F(SctpTransportTest, NamesARefusal) {
  SctpCollector collector;
  SctpTransport transport(collector.url());
  collector.Stop();
  const absl::Status status = transport.Open(*waiter_, Soon());
  EXPECT_EQ(Text(status), transport.name() + ": cannot connect to " +
                              collector.address().ToString() +
                              ": Connection refused; start the collector or correct its address");
}

TEST_F(SctpTransportTest, TriesEveryAddress) {
  SctpCollector refusing;
  const SocketAddress refused = refusing.address();
  refusing.Stop();
  SctpCollector collector;
  SctpTransport transport({"sctp", "sink", 4739}, [&](const Url&) -> Lookup::Addresses {
    return std::vector<SocketAddress>{refused, collector.address()};
  });
  const absl::Status status = transport.Open(*waiter_, Soon());
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace sockflow::transport
