// SPDX-License-Identifier: MIT
#include "collector/collector.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "sockflow/ipfix/layout.h"
#include "sockflow/ipfix/message_encoder.h"
#include "sockflow/ipfix/template.h"
#include "spdlog/sinks/ostream_sink.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"
#include "tests/unit/temporary_directory.h"

namespace sockflow::collector {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

const transport::Url kAnyPort{.scheme = "udp", .host = "127.0.0.1", .port = 0};
constexpr auto kPatience = std::chrono::seconds(10);

// Sends to a collector on loopback.
class Exporter {
 public:
  explicit Exporter(const std::string& url) : socket_(socket(AF_INET, SOCK_DGRAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
    EXPECT_EQ(connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~Exporter() { close(socket_); }
  void Send(std::span<const uint8_t> message) const {
    EXPECT_EQ(send(socket_, message.data(), message.size(), 0),
              static_cast<ssize_t>(message.size()));
  }
  void Send(std::string_view message) const {
    Send({reinterpret_cast<const uint8_t*>(message.data()), message.size()});
  }

 private:
  int socket_;
};

Session Curl(SessionId id) {
  Session session;
  session.id = id;
  session.local = {*IpAddress::Parse("10.0.0.1"), 40000};
  session.remote = {*IpAddress::Parse("192.0.2.1"), 443};
  session.started = Time(std::chrono::milliseconds(1'763'717'212'345));
  session.ended = session.started + std::chrono::milliseconds(1234);
  session.established = session.started;
  session.process.emplace();
  session.process->pid = 4711;
  session.process->name = TaskName("curl");
  session.user_name = "alice";
  session.tcp.octets_sent = 1234;
  return session;
}

// One message with the template, if asked for, and a start record.
std::vector<uint8_t> StartMessage(ipfix::MessageEncoder& encoder, SessionId id,
                                  bool with_template) {
  const Session session = Curl(id);
  const SessionRecord record{SessionRecord::Kind::kStart, session};
  const auto layout = ipfix::Layout::OfProfile(ipfix::Profile::kProcess);
  const ipfix::SessionTemplate& description = *layout.For(record);
  EXPECT_TRUE(!with_template || encoder.AddTemplate(description));
  EXPECT_TRUE(encoder.Add(description, record));
  const auto message = encoder.Finish(session.started);
  return {message.begin(), message.end()};
}

class CollectorTest : public testing::Test {
 protected:
  void SetUp() override {
    signal(SIGPIPE, SIG_IGN);
    options_.format = Format::kJson;
    options_.output = directory_ / "flows";
    stop_ = eventfd(0, EFD_CLOEXEC);
    logger_before_ = spdlog::default_logger();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_)));
  }
  void TearDown() override {
    spdlog::set_default_logger(logger_before_);
    close(stop_);
  }

  void Stop() const {
    const uint64_t one = 1;
    ASSERT_EQ(write(stop_, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
  }
  std::string Contents() const {
    std::stringstream contents;
    contents << std::ifstream(options_.output).rdbuf();
    return contents.str();
  }
  // What is in the output once it has that many lines.
  std::string WaitForLines(long lines) const {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    std::string contents;
    do {
      contents = Contents();
      if (std::count(contents.begin(), contents.end(), '\n') >= lines) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    } while (std::chrono::steady_clock::now() < end);
    return contents;
  }

  CollectOptions options_;
  TemporaryDirectory directory_;
  std::stringstream log_;  // read it only when the collector has stopped
  int stop_ = -1;
  std::shared_ptr<spdlog::logger> logger_before_;
};

TEST_F(CollectorTest, PrintsWhatItReceivesWhileItRuns) {
  auto collector = Collector::Open(options_, std::vector{kAnyPort, kAnyPort});
  ASSERT_TRUE(collector.ok()) << collector.status();
  ASSERT_EQ((*collector)->listening().size(), 2u);
  absl::Status status;
  std::jthread thread([&] { status = (*collector)->Run(stop_); });
  const Exporter first((*collector)->listening()[0]);
  const Exporter second((*collector)->listening()[1]);
  ipfix::MessageEncoder encoder({.observation_domain = 3});
  ipfix::MessageEncoder other_encoder({.observation_domain = 4});
  first.Send(StartMessage(encoder, 1, true));
  second.Send(StartMessage(other_encoder, 2, true));
  std::stringstream lines(WaitForLines(2));
  Stop();
  thread.join();
  EXPECT_TRUE(status.ok()) << status;
  std::vector<uint64_t> domains;
  for (std::string line; std::getline(lines, line);) {
    const json record = json::parse(line);
    domains.push_back(record["observationDomainId"]);
    EXPECT_EQ(record["exporterIPv4Address"], "127.0.0.1");
    EXPECT_EQ(record["SRC_PROC_NAME"], "curl");
    EXPECT_EQ(record["SRC_PROC_PID"], 4711);
    EXPECT_EQ(record["sourceIPv4Address"], "10.0.0.1");
    EXPECT_EQ(record["destinationTransportPort"], 443);
    EXPECT_EQ(record["flowStartMilliseconds"], "2025-11-21T09:26:52.345Z");
    EXPECT_EQ(record["firewallEvent"], 1);
  }
  EXPECT_THAT(domains, testing::UnorderedElementsAre(3, 4));
  EXPECT_THAT((*collector)->Summary(),
              StartsWith("collected messages=2 records=2 malformed=0 sets_without_template=0 "
                         "records_lost_by_sequence=0 "));
}

TEST_F(CollectorTest, GoesOnAfterMessagesThatAreMalformed) {
  auto collector = Collector::Open(options_, std::vector{kAnyPort});
  ASSERT_TRUE(collector.ok()) << collector.status();
  std::jthread thread([&] { (*collector)->Run(stop_).IgnoreError(); });
  const Exporter exporter((*collector)->listening()[0]);
  ipfix::MessageEncoder encoder({});
  std::vector<uint8_t> cut = StartMessage(encoder, 1, true);
  cut.resize(cut.size() - 3);
  for (int i = 0; i < 50; ++i) {
    exporter.Send("");
    exporter.Send("hello");
    exporter.Send(cut);
  }
  ipfix::MessageEncoder sound({});
  exporter.Send(StartMessage(sound, 2, true));
  EXPECT_EQ(json::parse(WaitForLines(1))["flowId"], 2);
  Stop();
  thread.join();
  EXPECT_THAT((*collector)->Summary(),
              HasSubstr(" malformed=150 (too_short=100 wrong_length=50) "));
  // One line for each reason, however many there were.
  const std::string log = log_.str();
  EXPECT_THAT(log, HasSubstr("(too_short)"));
  EXPECT_THAT(log, HasSubstr("(wrong_length)"));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 2) << log;
}

TEST_F(CollectorTest, SaysOnceThatTemplatesAreMissingAndCountsLosses) {
  auto collector = Collector::Open(options_, std::vector{kAnyPort});
  ASSERT_TRUE(collector.ok()) << collector.status();
  std::jthread thread([&] { (*collector)->Run(stop_).IgnoreError(); });
  const Exporter exporter((*collector)->listening()[0]);
  ipfix::MessageEncoder encoder({});
  exporter.Send(StartMessage(encoder, 1, false));
  exporter.Send(StartMessage(encoder, 2, false));
  exporter.Send(StartMessage(encoder, 3, true));
  (void)StartMessage(encoder, 4, false);  // lost on the way
  (void)StartMessage(encoder, 5, false);
  exporter.Send(StartMessage(encoder, 6, false));
  std::stringstream lines(WaitForLines(2));
  Stop();
  thread.join();
  std::vector<uint64_t> ids;
  for (std::string line; std::getline(lines, line);) ids.push_back(json::parse(line)["flowId"]);
  EXPECT_THAT(ids, testing::ElementsAre(3, 6));
  EXPECT_THAT((*collector)->Summary(),
              HasSubstr(" sets_without_template=2 records_lost_by_sequence=2 "));
  const std::string log = log_.str();
  EXPECT_THAT(log, HasSubstr("cannot be decoded until it sends their template again"));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
}

TEST_F(CollectorTest, DecodesWhatHadArrivedWhenItIsStopped) {
  auto collector = Collector::Open(options_, std::vector{kAnyPort});
  ASSERT_TRUE(collector.ok()) << collector.status();
  const Exporter exporter((*collector)->listening()[0]);
  ipfix::MessageEncoder encoder({});
  for (SessionId id = 1; id <= 300; ++id) exporter.Send(StartMessage(encoder, id, id == 1));
  Stop();
  EXPECT_TRUE((*collector)->Run(stop_).ok());
  const std::string contents = Contents();
  EXPECT_EQ(std::count(contents.begin(), contents.end(), '\n'), 300);
}

TEST_F(CollectorTest, EndsAfterItsDuration) {
  options_.duration = std::chrono::milliseconds(20);
  auto collector = Collector::Open(options_, std::vector{kAnyPort});
  ASSERT_TRUE(collector.ok()) << collector.status();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE((*collector)->Run(stop_).ok());
  EXPECT_GE(std::chrono::steady_clock::now() - begin, options_.duration);
}

TEST_F(CollectorTest, StopsAlthoughNobodyReadsItsOutput) {
  const std::string pipe = directory_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  options_.output = pipe;
  auto collector = Collector::Open(options_, std::vector{kAnyPort});
  ASSERT_TRUE(collector.ok()) << collector.status();
  const Exporter exporter((*collector)->listening()[0]);
  ipfix::MessageEncoder encoder({});
  for (SessionId id = 1; id <= 300; ++id) exporter.Send(StartMessage(encoder, id, id == 1));
  Stop();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE((*collector)->Run(stop_).ok());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
  close(reader);
}

TEST_F(CollectorTest, EndsQuietlyWhenTheReaderOfItsOutputGoesAway) {
  const std::string pipe = directory_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  options_.output = pipe;
  auto collector = Collector::Open(options_, std::vector{kAnyPort});
  ASSERT_TRUE(collector.ok()) << collector.status();
  close(reader);
  EXPECT_TRUE((*collector)->Run(stop_).ok());  // nobody stops it
  EXPECT_EQ(log_.str(), "");
}

TEST_F(CollectorTest, ReportsLinesThatCouldNotBeWritten) {
  options_.output = "/dev/full";
  auto collector = Collector::Open(options_, std::vector{kAnyPort});
  ASSERT_TRUE(collector.ok()) << collector.status();
  const Exporter exporter((*collector)->listening()[0]);
  ipfix::MessageEncoder encoder({});
  exporter.Send(StartMessage(encoder, 1, true));
  Stop();
  const absl::Status status = (*collector)->Run(stop_);
  EXPECT_THAT(std::string(status.message()), HasSubstr("No space left on device"));
  EXPECT_THAT((*collector)->Summary(), HasSubstr("lines_dropped=1"));
}

TEST_F(CollectorTest, SaysWhyItCannotStart) {
  auto collector = Collector::Open(options_, std::vector{kAnyPort});
  ASSERT_TRUE(collector.ok()) << collector.status();
  CollectOptions same = options_;
  same.listen = (*collector)->listening();
  EXPECT_THAT(std::string(Collector::Open(same).status().message()), HasSubstr("in use"));
  CollectOptions nothing = options_;
  nothing.listen.clear();
  EXPECT_TRUE(absl::IsInvalidArgument(Collector::Open(nothing).status()));
  CollectOptions wrong = options_;
  wrong.listen = {"carrier-pigeon://roof"};
  EXPECT_TRUE(absl::IsInvalidArgument(Collector::Open(wrong).status()));
  // The output comes first: nothing was bound for a collector that cannot write.
  CollectOptions neither = same;
  neither.output = directory_ / "no/flows";
  EXPECT_THAT(std::string(Collector::Open(neither).status().message()), HasSubstr("directory"));
}

// A port that nobody had just now.
std::string FreeUrl() { return (*transport::UdpListener::Open(kAnyPort))->name(); }

// A process of its own, because signals and their masks belong to one.
TEST_F(CollectorTest, ObeysSignals) {
  options_.listen = {FreeUrl()};
  for (const int signal_number : {SIGINT, SIGTERM}) {
    int log[2];
    ASSERT_EQ(pipe(log), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      dup2(log[1], STDERR_FILENO);
      close(log[0]);
      spdlog::set_default_logger(std::make_shared<spdlog::logger>(
          "child", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
      _exit(RunCollect(options_));
    }
    close(log[1]);
    std::string said;
    bool signalled = false;
    auto signalled_at = std::chrono::steady_clock::now();
    char buffer[4096];
    for (ssize_t octets; (octets = read(log[0], buffer, sizeof(buffer))) > 0;) {
      said.append(buffer, static_cast<size_t>(octets));
      if (signalled || said.find("listening on udp://127.0.0.1:") == std::string::npos) continue;
      signalled_at = std::chrono::steady_clock::now();
      kill(child, signal_number);
      signalled = true;
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_LT(std::chrono::steady_clock::now() - signalled_at, std::chrono::seconds(2));
    EXPECT_TRUE(signalled) << said;
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    EXPECT_THAT(said, HasSubstr("collected messages=0 "));
    close(log[0]);
  }
}

TEST_F(CollectorTest, TellsWrongOptionsFromTroubleByItsExitStatus) {
  CollectOptions wrong = options_;
  wrong.listen = {"carrier-pigeon://roof"};
  EXPECT_EQ(RunCollect(wrong), 2);
  CollectOptions unwritable = options_;
  unwritable.listen = {FreeUrl()};
  unwritable.output = directory_ / "no/flows";
  EXPECT_EQ(RunCollect(unwritable), 1);
  EXPECT_THAT(log_.str(), HasSubstr("make its directory first"));
}

}  // namespace
}  // namespace sockflow::collector
