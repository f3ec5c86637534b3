// SPDX-License-Identifier: MIT

// Sessions with updates, as the agent would export them, without a kernel that has them:
//
//   session_messages PROFILE PEN BEGIN PID PARENT_PID PROCESS PARENT EXECUTABLE SENT:RECEIVED...
//
// writes the messages of one transport session to standard output. There are a session over IPv4 and one
// over IPv6, each at both its ends, between the addresses of export.py. BEGIN is in milliseconds since 1970;
// each SENT:RECEIVED is what a session carries, to the responder and back, until its next record: updates,
// the last is the end. Between two records is 1 s.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "sockflow/ipfix/layout.h"
#include "sockflow/ipfix/message.h"
#include "sockflow/ipfix/message_encoder.h"
#include "sockflow/ipfix/options_records.h"
#include "sockflow/session_table.h"

namespace sockflow {
namespace {

constexpr Duration kBetweenRecords = std::chrono::seconds(1);
constexpr uint32_t kOctetsInAPacket = 1'000'000;  // as with segmentation offload
constexpr uint32_t kDomain = 7;

struct Arguments {
  ipfix::Layout layout;
  Time begin;
  Process process;
  std::string executable;
  std::vector<std::pair<uint64_t, uint64_t>> steps;
};

uint64_t NumberOf(std::string_view text) {
  uint64_t number = 0;
  if (!absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &number)) std::exit(2);
  return number;
}

Arguments Read(const std::vector<std::string>& words) {
  const auto profile = ipfix::ParseProfile(words[0]);
  if (!profile) std::exit(2);
  Arguments arguments{.layout = ipfix::Layout::OfProfile(*profile, static_cast<uint32_t>(NumberOf(words[1]))),
                      .begin = Time(std::chrono::milliseconds(NumberOf(words[2]))),
                      .process = {.pid = static_cast<uint32_t>(NumberOf(words[3])),
                                  .parent_pid = static_cast<uint32_t>(NumberOf(words[4])),
                                  .uid = 0,
                                  .name = TaskName(words[5]),
                                  .parent_name = TaskName(words[6])},
                      .executable = words[7],
                      .steps = {}};
  for (size_t i = 8; i < words.size(); ++i) {
    const std::vector<std::string> pair = absl::StrSplit(words[i], ':');
    arguments.steps.emplace_back(NumberOf(pair.at(0)), NumberOf(pair.at(1)));
  }
  return arguments;
}

void Write(std::vector<ipfix::Message> messages, Time time) {
  ipfix::SequenceNumbers numbers;
  for (ipfix::Message& message : messages) {
    numbers.Stamp(message.octets, message.records, time);
    fwrite(message.octets.data(), 1, message.octets.size(), stdout);
  }
}

// The messages of all records, after those that explain them.
class Stream {
 public:
  explicit Stream(const ipfix::Layout& layout)
      : layout_(layout),
        encoder_({.observation_domain = kDomain, .pen = layout.pen()}),
        messages_(ipfix::MakePreamble(layout, {.observation_domain = kDomain, .process_id = 1}, {})) {}

  void Add(const SessionRecord& record) {
    const ipfix::SessionTemplate* const description = layout_.For(record);
    if (description == nullptr) return;
    if (TryAdd(*description, record)) return;
    Finish();
    (void)TryAdd(*description, record);
  }
  std::vector<ipfix::Message> Take() {
    Finish();
    return std::move(messages_);
  }

 private:
  bool TryAdd(const ipfix::SessionTemplate& description, const SessionRecord& record) {
    if (encoder_.empty() && layout_.templates_in_each_message()) {
      for (const ipfix::Template& each : layout_.templates()) (void)encoder_.AddTemplate(each);
    }
    return encoder_.Add(description, record);
  }
  void Finish() {
    if (encoder_.empty()) return;
    const auto records = static_cast<uint32_t>(encoder_.records());
    const auto octets = encoder_.Finish(Time{});
    messages_.push_back({.octets = {octets.begin(), octets.end()}, .records = records});
  }

  ipfix::Layout layout_;
  ipfix::MessageEncoder encoder_;
  std::vector<ipfix::Message> messages_;
};

std::vector<SessionEvent> Starts(const Arguments& arguments) {
  const Endpoint clients[] = {{*IpAddress::Parse("127.0.0.91"), 40004}, {*IpAddress::Parse("::1"), 40006}};
  const Endpoint servers[] = {{*IpAddress::Parse("127.0.0.1"), 80}, {*IpAddress::Parse("::1"), 80}};
  std::vector<SessionEvent> starts;
  for (size_t i = 0; i < 4; ++i) {
    SessionEvent event{.id = i + 1, .at = arguments.begin, .started = arguments.begin};
    event.established = event.started + std::chrono::microseconds(250);
    event.process = arguments.process;
    event.attribution = Attribution::kCaller;
    event.local = clients[i / 2];
    event.remote = servers[i / 2];
    if (i % 2 == 1) {
      event.kind = SessionEvent::Kind::kAccept;
      event.direction = Direction::kPassive;
      std::swap(event.local, event.remote);
    }
    starts.push_back(event);
  }
  return starts;
}

void Carry(SessionEvent& event, uint64_t sent, uint64_t received) {
  if (event.direction == Direction::kPassive) std::swap(sent, received);
  event.tcp.octets_sent += sent;
  event.tcp.octets_received += received;
  event.tcp.packets_sent += 1 + sent / kOctetsInAPacket;
  event.tcp.packets_received += 1 + received / kOctetsInAPacket;
  event.tcp.tcp_header_octets = 32;
}

void Run(const Arguments& arguments) {
  Stream stream(arguments.layout);
  SessionTable table({});
  const auto emit = [&](Session& session, SessionRecord::Kind kind) {
    session.user_name = "root";
    session.executable = arguments.executable;
    stream.Add({kind, session});
  };
  std::vector<SessionEvent> sessions = Starts(arguments);
  for (SessionEvent& event : sessions) {
    table.Apply(event, emit);
    event.announced = true;
  }
  Time time = arguments.begin;
  for (size_t i = 0; i < arguments.steps.size(); ++i) {
    time += kBetweenRecords;
    for (SessionEvent& event : sessions) {
      const bool last = i + 1 == arguments.steps.size();
      event.kind = last ? SessionEvent::Kind::kClose : SessionEvent::Kind::kUpdate;
      event.at = time;
      event.last_state = last ? TcpState::kTimeWait : TcpState::kEstablished;
      Carry(event, arguments.steps[i].first, arguments.steps[i].second);
      table.Apply(event, emit);
    }
  }
  Write(stream.Take(), time);
}

}  // namespace
}  // namespace sockflow

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() < 9) return 2;
  sockflow::Run(sockflow::Read(words));
  return fflush(stdout) == 0 ? 0 : 1;
}
