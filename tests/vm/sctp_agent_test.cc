// SPDX-License-Identifier: MIT

// The agent as a user runs it, exporting live sessions to a collector over SCTP. Needs a kernel with SCTP
// and root; the program of the agent is in the environment variable SOCKFLOW.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "sockflow/ipfix/message_decoder.h"
#include "tests/unit/transport/sctp_collector.h"

namespace sockflow::transport {
namespace {

using ::testing::HasSubstr;

constexpr uint16_t kSourcePort = 7, kDestinationPort = 11;  // elements of IANA

// Of this test alone; gone with it.
class Agent {
 public:
  explicit Agent(const Url& collector) {
    char name[] = "/tmp/sctp_agent_XXXXXX";
    directory_ = mkdtemp(name);
    std::ofstream(directory_ / "config.yaml")
        << "collectors: [\"" << collector.ToString() << "\"]\n"
        << "capture: {tier: tracepoint}\n"  // the one that is ready soonest
        << "exporter: {interval_seconds: 0.05, reconnect_seconds: 0.5}\n";
    const std::string config = directory_ / "config.yaml", log = directory_ / "log";
    const char* const program = getenv("SOCKFLOW");
    pid_ = fork();
    if (pid_ != 0) return;
    const int fd = open(log.c_str(), O_WRONLY | O_CREAT, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    execl(program, program, "run", "--config", config.c_str(), nullptr);
    _exit(127);
  }
  ~Agent() {
    if (pid_ > 0) kill(pid_, SIGKILL);
    std::filesystem::remove_all(directory_);
  }

  void Terminate() { kill(pid_, SIGTERM); }
  // Its exit code once it has ended.
  int Wait() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string Log() const {
    std::stringstream text;
    text << std::ifstream(directory_ / "log").rdbuf();
    return text.str();
  }

 private:
  std::filesystem::path directory_;
  pid_t pid_ = -1;
};

// Makes TCP sessions: each is two sockets, of which each is a record at its start and at its end.
class Load {
 public:
  uint16_t port() const { return server_.port(); }
  void MakeSessions(size_t count) {
    const SocketAddress address = server_.address();
    for (size_t i = 0; i < count; ++i) {
      const Socket client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
      ASSERT_EQ(transport::Connect(client, address), 0);
      const Socket accepted = server_.Accept();
    }
  }

 private:
  CollectorEnd server_;
};

// What a collector learns from one association.
class Reception {
 public:
  explicit Reception(Socket peer) : peer_(std::move(peer)) {}

  // Takes the next message; false: the association has ended.
  bool Take(uint16_t port) {
    const auto message = ReceiveMessage(peer_);
    if (!message.has_value()) return false;
    ++messages_;
    size_t records = 0;
    const absl::Status status = decoder_.Decode("s", *message, [&](const ipfix::RecordView& record) {
      if (record.description.scope_fields > 0) return;
      ++records;
      for (size_t i = 0; i < record.values.size(); ++i) {
        const auto& field = record.description.fields[i];
        const auto& value = record.values[i];
        if (field.pen != 0 || (field.id != kSourcePort && field.id != kDestinationPort)) continue;
        if ((value[0] << 8 | value[1]) == port) ++of_port_;
      }
    });
    EXPECT_TRUE(status.ok()) << status;
    if (messages_ == 1) {
      EXPECT_GT(decoder_.stats().templates, 0u);
    }
    most_records_ = std::max(most_records_, records);
    return true;
  }

  Socket& peer() { return peer_; }
  const ipfix::MessageDecoder::Stats& stats() const { return decoder_.stats(); }
  size_t messages() const { return messages_; }
  size_t of_port() const { return of_port_; }  // records
  size_t most_records() const { return most_records_; }  // in one message

 private:
  Socket peer_;
  ipfix::MessageDecoder decoder_{{.reliable_transport = true}};
  size_t messages_ = 0, of_port_ = 0, most_records_ = 0;
};

TEST(SctpAgentTest, ExportsEverySessionAcrossAnAbortAndEndsInOrder) {
  ASSERT_EQ(SctpRefusal(), 0) << "this kernel has no SCTP: " << std::strerror(SctpRefusal());
  SctpCollector collector;
  Agent agent(collector.url());
  Reception first(collector.Accept());
  Load warm_up, read, unread;

  // The association is there before the hooks are, perhaps.
  while (first.of_port() == 0) {
    warm_up.MakeSessions(1);
    pollfd news{.fd = first.peer().fd(), .events = POLLIN, .revents = 0};
    while (first.of_port() == 0 && poll(&news, 1, 100) > 0) ASSERT_TRUE(first.Take(warm_up.port()));
  }

  constexpr size_t kSessions = 100;
  size_t before = first.of_port();
  read.MakeSessions(kSessions);
  while (first.of_port() - before < 4 * kSessions) ASSERT_TRUE(first.Take(read.port()));
  EXPECT_EQ(first.stats().lost_records, 0u);
  EXPECT_EQ(first.stats().unknown_template_sets, 0u);

  // More than the collector's kernel holds, which nobody reads. Then the collector dies.
  constexpr size_t kUnread = 300;
  unread.MakeSessions(kUnread);
  sctp_assoc_stats stats{};
  const auto limit = Soon();
  // Until nothing more arrives.
  for (uint64_t arrived = 1; Now() < limit;) {
    socklen_t length = sizeof(stats);
    stats = {};
    ASSERT_EQ(getsockopt(first.peer().fd(), IPPROTO_SCTP, SCTP_GET_ASSOC_STATS, &stats, &length), 0);
    if (stats.sas_iodchunks > first.messages() && stats.sas_iodchunks == arrived) break;
    arrived = stats.sas_iodchunks;
    poll(nullptr, 0, 200);
  }
  Reset(first.peer());

  // What that kernel had acknowledged is lost; all the rest comes, once more if need be.
  const size_t lost_messages = stats.sas_iodchunks - first.messages();
  Reception second(collector.Accept());
  const size_t lost = lost_messages * first.most_records();
  ASSERT_LT(lost, 4 * kUnread);
  while (second.of_port() + lost < 4 * kUnread) ASSERT_TRUE(second.Take(unread.port()));
  EXPECT_THAT(agent.Log(), HasSubstr("messages that may not have arrived are sent again"));

  agent.Terminate();
  while (second.Take(unread.port())) continue;
  char octet;
  EXPECT_EQ(recv(second.peer().fd(), &octet, 1, 0), 0);  // an abort is an error
  EXPECT_EQ(agent.Wait(), 0);
  EXPECT_LE(second.of_port(), 4 * kUnread);
  EXPECT_EQ(second.stats().lost_records, 0u);
  EXPECT_EQ(second.stats().unknown_template_sets, 0u);
  RecordProperty("lost", static_cast<int>(4 * kUnread - second.of_port()));
  if (HasFailure()) std::fputs(agent.Log().c_str(), stdout);
}

}  // namespace
}  // namespace sockflow::transport
