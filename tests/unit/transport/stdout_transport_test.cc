// SPDX-License-Identifier: MIT
#include "transport/stdout_transport.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/temporary_directory.h"
#include "tests/unit/transport/messages.h"
#include "transport/socket.h"
#include "transport/waiter.h"

namespace sockflow::transport {
namespace {

using testing::HasSubstr;
using Clock = Transport::Clock;
using Outcome = Transport::Outcome;

std::string TextOf(const absl::Status& status) { return std::string(status.message()); }

class StdoutTransportTest : public testing::Test {
 protected:
  void SetUp() override {
    signal(SIGPIPE, SIG_IGN);
    waiter_ = *Waiter::Make();
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    reader_ = Socket(ends[0]);
    writer_ = Socket(ends[1]);
    fcntl(writer_.fd(), F_SETPIPE_SZ, 4096);
  }

  // What is in the pipe now, at most `limit` octets.
  std::vector<uint8_t> Drain(size_t limit) {
    std::vector<uint8_t> octets(limit);
    const ssize_t count = read(reader_.fd(), octets.data(), limit);
    octets.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return octets;
  }

  std::unique_ptr<Waiter> waiter_;
  Socket reader_, writer_;
};

TEST_F(StdoutTransportTest, WritesAllInOrderThroughAFullPipe) {
  std::vector<std::vector<uint8_t>> messages;
  for (uint32_t i = 0; i < 50; ++i) messages.push_back(SomeMessage(16 + 1311 * i % 20'000, i));
  const std::vector<uint8_t> expected = Joined(messages);
  std::vector<uint8_t> received;
  std::thread reading([&] {
    while (received.size() < expected.size()) {
      const std::vector<uint8_t> part = Drain(777);
      if (part.empty()) return;
      received.insert(received.end(), part.begin(), part.end());
    }
  });
  StdoutTransport transport(writer_.fd());
  EXPECT_TRUE(transport.Open(*waiter_, Clock::time_point::max()).ok());
  const auto result = transport.Send(Spans(messages), *waiter_, Clock::time_point::max());
  EXPECT_TRUE(transport.Close(*waiter_, Clock::time_point::max()).ok());
  writer_ = Socket();
  reading.join();
  EXPECT_EQ(result.outcome, Outcome::kAll);
  EXPECT_EQ(result.accepted, messages.size());
  EXPECT_EQ(received, expected);
}

TEST_F(StdoutTransportTest, KeepsTheRestOfAMessageThatWasBegun) {
  const std::vector<std::vector<uint8_t>> messages = {SomeMessage(3000, 1), SomeMessage(3000, 2),
                                                      SomeMessage(3000, 3)};
  const int flags = fcntl(writer_.fd(), F_GETFL);
  StdoutTransport transport(writer_.fd());
  ASSERT_TRUE(transport.Open(*waiter_, Clock::now()).ok());
  // 4096 octets of room: the second message is begun, the third is not.
  auto result = transport.Send(Spans(messages), *waiter_, Clock::now());
  EXPECT_EQ(result.outcome, Outcome::kBusy);
  EXPECT_EQ(result.accepted, 2u);
  EXPECT_TRUE(result.status.ok());
  EXPECT_EQ(transport.unconfirmed(), 1u);
  EXPECT_EQ(fcntl(writer_.fd(), F_GETFL), flags);  // the shell's too
  const absl::Status cut = [&] {
    StdoutTransport copy = transport;
    return copy.Close(*waiter_, Clock::now());
  }();
  EXPECT_THAT(TextOf(cut), HasSubstr("the last message is cut"));

  std::vector<uint8_t> received = Drain(4096);
  result = transport.Send({}, *waiter_, Clock::now());
  EXPECT_EQ(result.outcome, Outcome::kAll);
  EXPECT_EQ(transport.unconfirmed(), 0u);
  const std::vector<uint8_t> rest = Drain(4096);
  received.insert(received.end(), rest.begin(), rest.end());
  EXPECT_EQ(received, Joined(messages, 0, 2));
}

TEST_F(StdoutTransportTest, EndsWhenTheReaderGoes) {
  const std::vector<std::vector<uint8_t>> messages = {SomeMessage(3000, 1), SomeMessage(3000, 2)};
  StdoutTransport transport(writer_.fd());
  ASSERT_TRUE(transport.Open(*waiter_, Clock::now()).ok());
  EXPECT_EQ(transport.Check().outcome, Outcome::kAll);
  EXPECT_EQ(transport.fd(), writer_.fd());
  EXPECT_EQ(waiter_->Wait(transport.fd(), Waiter::kReadable, Clock::now()), 0);
  EXPECT_EQ(transport.Send(Spans(messages), *waiter_, Clock::now()).accepted, 2u);
  reader_ = Socket();
  EXPECT_NE(waiter_->Wait(transport.fd(), Waiter::kReadable, Clock::time_point::max()), 0);
  const auto result = transport.Check();
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_THAT(TextOf(result.status), HasSubstr("the reader of the pipe has gone"));
  EXPECT_EQ(transport.unconfirmed(), 1u);  // the second was begun
  EXPECT_EQ(transport.fd(), -1);
  EXPECT_THAT(TextOf(transport.Open(*waiter_, Clock::now())), HasSubstr("has gone"));
}

TEST_F(StdoutTransportTest, EndsWhenAWriteFindsNoReader) {
  StdoutTransport transport(writer_.fd());
  ASSERT_TRUE(transport.Open(*waiter_, Clock::now()).ok());
  reader_ = Socket();
  const auto result =
      transport.Send(Spans({SomeMessage(30, 1)}), *waiter_, Clock::time_point::max());
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_EQ(result.accepted, 0u);
  EXPECT_EQ(transport.unconfirmed(), 0u);
}

TEST_F(StdoutTransportTest, RefusesATerminalAndAClosedDescriptor) {
  int main_end = -1, other_end = -1;
  ASSERT_EQ(openpty(&main_end, &other_end, nullptr, nullptr, nullptr), 0);
  const Socket close_main(main_end), close_other(other_end);
  EXPECT_THAT(TextOf(StdoutTransport(other_end).Open(*waiter_, Clock::now())),
              HasSubstr("is a terminal"));
  EXPECT_THAT(TextOf(StdoutTransport(1'000'000).Open(*waiter_, Clock::now())),
              HasSubstr("is closed"));
}

TEST_F(StdoutTransportTest, WritesAFileAndCompletesAMessageWhenTheDiskHasRoomAgain) {
  const TemporaryDirectory directory;
  const Socket file(open((directory / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const std::vector<std::vector<uint8_t>> messages = {SomeMessage(3000, 1), SomeMessage(3000, 2),
                                                      SomeMessage(3000, 3)};
  StdoutTransport transport(file.fd());
  ASSERT_TRUE(transport.Open(*waiter_, Clock::now()).ok());
  EXPECT_EQ(transport.fd(), -1);
  {
    const FileSizeLimit limit(4000);
    const auto result = transport.Send(Spans(messages), *waiter_, Clock::now());
    EXPECT_EQ(result.outcome, Outcome::kBusy);
    EXPECT_EQ(result.accepted, 2u);
    EXPECT_THAT(TextOf(result.status), HasSubstr("raise the limit of the file size"));
  }
  EXPECT_EQ(transport.Send(Spans({messages[2]}), *waiter_, Clock::now()).outcome, Outcome::kAll);
  EXPECT_TRUE(transport.Close(*waiter_, Clock::now()).ok());
  EXPECT_EQ(ReadFile(directory / "out"), Joined(messages));
}

TEST_F(StdoutTransportTest, SaysThatTheDiskIsFull) {
  const Socket full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  StdoutTransport transport(full.fd());
  ASSERT_TRUE(transport.Open(*waiter_, Clock::now()).ok());
  const auto result = transport.Send(Spans({SomeMessage(30, 1)}), *waiter_, Clock::now());
  EXPECT_EQ(result.outcome, Outcome::kBusy);
  EXPECT_EQ(result.accepted, 0u);
  EXPECT_THAT(TextOf(result.status), HasSubstr("make room on the disk"));
}

}  // namespace
}  // namespace sockflow::transport
