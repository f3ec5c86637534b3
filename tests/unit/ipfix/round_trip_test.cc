// SPDX-License-Identifier: MIT

// decode(encode(x)) == x, for every template, over random sessions. What is expected is worked out
// here from the description of the fields, by other means than in session_values.h.

#include <chrono>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "fmt/chrono.h"
#include "gtest/gtest.h"
#include "sockflow/ipfix/layout.h"
#include "sockflow/ipfix/message_decoder.h"
#include "sockflow/ipfix/message_encoder.h"
#include "sockflow/ipfix/value.h"
#include "tests/unit/ipfix/wire_builder.h"

namespace sockflow::ipfix {
namespace {

using Kind = SessionRecord::Kind;
using Values = std::map<std::string, std::string>;

constexpr uint32_t kPen = 32473;  // for documentation and tests (RFC 5612)

struct NamePair {
  const char* sent;
  const char* expected;
};
constexpr NamePair kNames[] = {
    {"", ""},
    {"curl", "curl"},
    {"kworker/0:1-evt", "kworker/0:1-evt"},
    {"\xc3\xa4\xe2\x82\xac", "\xc3\xa4\xe2\x82\xac"},
    {"bad\xff", "bad\xef\xbf\xbd"},
    {"\x01\x1b[31m", "\x01\x1b[31m"},
    {"cut\xe2\x82", "cut\xef\xbf\xbd"},
    {"Web Content", "Web Content"},
};

template <typename T>
T Pick(std::mt19937_64& random, std::initializer_list<T> choices) {
  return *(choices.begin() + random() % choices.size());
}

struct Sample {
  Session session;
  Kind kind = Kind::kStart;
  std::string expected_name;
  std::string expected_parent;
  bool whole = false;  // for a reader who gets no updates

  SessionRecord record() const {
    return {kind, session, whole ? session.before : session.reported};
  }
};

uint64_t Less(uint64_t now, uint64_t before) { return now > before ? now - before : 0; }

IpAddress RandomAddress(std::mt19937_64& random, bool v4) {
  std::array<uint8_t, 16> octets;
  for (uint8_t& octet : octets) octet = static_cast<uint8_t>(random());
  return v4 ? IpAddress::V4(std::span<const uint8_t, 16>(octets).first<4>())
            : IpAddress::V6(octets);
}

Sample RandomSample(std::mt19937_64& random) {
  Sample sample;
  Session& session = sample.session;
  sample.kind = Pick(random, {Kind::kStart, Kind::kUpdate, Kind::kEnd});
  session.id = random();
  session.direction = Pick(random, {Direction::kActive, Direction::kPassive});
  const bool v4 = random() % 2 == 0;
  session.local = {RandomAddress(random, v4), static_cast<uint16_t>(random())};
  session.remote = {RandomAddress(random, v4), static_cast<uint16_t>(random())};
  session.started = Time(std::chrono::nanoseconds(random() % 4'000'000'000'000'000'000));
  session.ended = session.started + std::chrono::milliseconds(static_cast<int64_t>(
                                        random() % 10'000'000) - 1'000'000);
  if (random() % 4 != 0) {
    session.established =
        session.started + std::chrono::nanoseconds(static_cast<int64_t>(random() % 9'000'000'000'000) - 1000);
  }
  session.existing = random() % 4 == 0;
  session.netns = static_cast<uint32_t>(random());
  session.socket_cookie = random();
  session.end_cause = static_cast<EndCause>(random() % 3 == 0 ? random() % 12 : 0);
  sample.whole = random() % 2 == 0;
  session.accepted = random() % 8 != 0;
  session.last_state = static_cast<TcpState>(random() % 12);
  session.tcp = {.octets_sent = random() >> (random() % 64),
                 .octets_received = random() >> (random() % 64),
                 .packets_sent = random() >> 32,
                 .packets_received = random() >> 32,
                 .retransmitted_packets = static_cast<uint32_t>(random()),
                 .smoothed_rtt_us = static_cast<uint32_t>(random() >> (32 + random() % 24)) >> 1,
                 .minimum_rtt_us = static_cast<uint32_t>(random()),
                 .error = Pick<uint16_t>(random, {0, 0, 32, 101, 104, 110, 111, 113}),
                 .tcp_header_octets = Pick<uint8_t>(random, {0, 20, 32, 60}),
                 .fin_received = random() % 2 == 0};
  // Mostly less than it is now, which it always should be.
  const TcpFacts& tcp = session.tcp;
  const auto part = [&](uint64_t count) { return count / (1 + random() % 5) + random() % 2; };
  for (TcpFacts* facts : {&session.before, &session.reported}) {
    *facts = {.octets_sent = part(tcp.octets_sent),
              .octets_received = part(tcp.octets_received),
              .packets_sent = part(tcp.packets_sent),
              .packets_received = part(tcp.packets_received),
              .retransmitted_packets = static_cast<uint32_t>(part(tcp.retransmitted_packets)),
              .tcp_header_octets = Pick<uint8_t>(random, {0, 32})};
  }
  if (random() % 4 != 0) {
    const NamePair& name = kNames[random() % std::size(kNames)];
    const NamePair& parent = kNames[random() % std::size(kNames)];
    session.process = Process{.pid = static_cast<uint32_t>(random()),
                              .thread_id = static_cast<uint32_t>(random()),
                              .parent_pid = static_cast<uint32_t>(random()),
                              .uid = static_cast<uint32_t>(random()),
                              .start_time = random(),
                              .cgroup_id = random(),
                              .name = TaskName(name.sent),
                              .thread_name = TaskName("thread"),
                              .parent_name = TaskName(parent.sent)};
    if (random() % 4 != 0) {
      session.process->detail = std::make_shared<ProcessDetail>(
          ProcessDetail{.cgroup_path = "/" + std::string(random() % 60, 'g')});
    }
    sample.expected_name = name.expected;
    sample.expected_parent = parent.expected;
  }
  session.attribution = static_cast<Attribution>(random() % 4);
  session.user_name.assign(random() % 40, 'u');
  session.command_line.assign(random() % 50, 'a');
  if (random() % 4 != 0) {
    session.container =
        std::make_shared<ContainerFacts>(ContainerFacts{
            .id = std::string(random() % 65, 'c'),
            .runtime = "containerd",
            .pod_uid = Pick(random, {"", "8f1bC6f2-4a4e-4c0e-9f3a-0b6f1d2c3e4f",
                                     "8f1bc6f24a4e4c0e9f3a0b6f1d2c3e4f", "8f1bc6f2-4a4e",
                                     "8f1bc6f24a4e4c0e9f3a0b6f1d2c3e4f0", "no pod"})});
  }
  for (auto* pod : {&session.pod, &session.remote_pod}) {
    if (random() % 4 == 0) continue;
    *pod = std::make_shared<PodFacts>(PodFacts{.pod_namespace = std::string(random() % 20, 's'),
                                               .pod_name = std::string(random() % 20, 'p'),
                                               .node_name = std::string(random() % 20, 'n'),
                                               .workload = "Job/" + std::string(random() % 9, 'w'),
                                               .labels = std::string(random() % 50, 'l')});
  }
  session.executable.assign(random() % 3 == 0 ? random() % 700 : random() % 60, '/');
  return sample;
}

// As the decoder shows a time of that resolution, made by it.
std::string Shown(Time time, int digits) {
  const auto count = time.time_since_epoch().count();
  std::string text = fmt::format("{:%FT%T}", fmt::gmtime(count / 1'000'000'000));
  if (digits > 0) {
    text += fmt::format(".{:09}", count % 1'000'000'000).substr(0, static_cast<size_t>(digits) + 1);
  }
  return text + "Z";
}

// Of every element that a record of this kind may have.
Values Expected(const Sample& sample) {
  const Session& s = sample.session;
  const bool active = s.direction == Direction::kActive;
  const bool v4 = s.local.address.is_v4();
  const Endpoint& from = active ? s.local : s.remote;
  const Endpoint& to = active ? s.remote : s.local;
  EndCause cause = EndCauseOf(s);
  const bool is_end = sample.kind == Kind::kEnd;

  int bits = 2;
  // What the peer has seen.
  const std::string_view reason = ToString(cause);
  if (cause == EndCause::kOwnerKilled) cause = DerivedEndCauseOf(s);
  if (s.established || !active || (is_end && cause == EndCause::kRefused)) bits += 16;
  const bool orderly = cause == EndCause::kLocalFin || cause == EndCause::kRemoteFin;
  if (s.tcp.fin_received || (is_end && orderly)) bits += 1;
  const bool was_open = s.last_state == TcpState::kEstablished || s.last_state == TcpState::kCloseWait;
  if (is_end && ((cause == EndCause::kLocalReset && s.last_state != TcpState::kSynSent) ||
                 (cause == EndCause::kNotAccepted && was_open) ||
                 cause == EndCause::kRemoteReset || cause == EndCause::kRefused)) {
    bits += 4;
  }
  const Time end = sample.kind == Kind::kStart || s.ended < s.started ? s.started : s.ended;

  Values v;
  v["flowId"] = std::to_string(s.id);
  v["firewallEvent"] = sample.kind == Kind::kStart ? "1" : is_end ? "2" : "5";
  v["biflowDirection"] = "1";
  v["flowDirection"] = active ? "1" : "0";
  v["protocolIdentifier"] = "6";
  v["ipVersion"] = v4 ? "4" : "6";
  if (sample.kind == Kind::kStart) bits &= 2 + 16;  // how it began, not how it went on
  v["tcpControlBits"] = std::to_string(bits);
  v[v4 ? "sourceIPv4Address" : "sourceIPv6Address"] = from.address.ToString();
  v[v4 ? "destinationIPv4Address" : "destinationIPv6Address"] = to.address.ToString();
  v["sourceTransportPort"] = std::to_string(from.port);
  v["destinationTransportPort"] = std::to_string(to.port);
  constexpr std::pair<const char*, int> kResolutions[] = {
      {"Seconds", 0}, {"Milliseconds", 3}, {"Microseconds", 6}, {"Nanoseconds", 9}};
  for (const auto& [unit, digits] : kResolutions) {
    v[std::string("flowStart") + unit] = Shown(s.started, digits);
    v[std::string("flowEnd") + unit] = Shown(end, digits);
  }
  v["applicationName"] = sample.expected_name;
  v["userName"] = s.user_name;
  if (sample.kind != Kind::kStart) {
    // Octets and packets there and back, then with headers: now, and what was told before.
    const auto count = [&](const TcpFacts& facts) {
      const uint64_t header = (v4 ? 20u : 40u) + (facts.tcp_header_octets == 0 ? 20u : facts.tcp_header_octets);
      std::array<uint64_t, 6> counts = {facts.octets_sent, facts.octets_received, facts.packets_sent,
                                        facts.packets_received};
      if (!active) counts = {counts[1], counts[0], counts[3], counts[2]};
      counts[4] = counts[0] + counts[2] * header;
      counts[5] = counts[1] + counts[3] * header;
      return counts;
    };
    const TcpFacts& since = sample.whole ? s.before : s.reported;
    const auto all = count(s.tcp), told = count(since);
    constexpr std::pair<const char*, int> kDeltas[] = {
        {"initiatorOctets", 0},  {"responderOctets", 1}, {"initiatorPackets", 2},
        {"packetDeltaCount", 2}, {"responderPackets", 3}, {"reversePacketDeltaCount", 3},
        {"octetDeltaCount", 4},  {"reverseOctetDeltaCount", 5}};
    for (const auto& [name, i] : kDeltas) v[name] = std::to_string(Less(all[i], told[i]));
    constexpr std::pair<const char*, int> kTotals[] = {{"packetTotalCount", 2},
                                                       {"reversePacketTotalCount", 3},
                                                       {"octetTotalCount", 4},
                                                       {"reverseOctetTotalCount", 5}};
    for (const auto& [name, i] : kTotals) v[name] = std::to_string(all[i]);
    v["tcpHeaderLength"] = std::to_string(s.tcp.tcp_header_octets == 0 ? 20 : s.tcp.tcp_header_octets);
    v["flowEndReason"] = !is_end                                            ? "2"
                         : reason == "timed-out" || reason == "not-seen" ? "1"
                         : reason == "capture-ended"                       ? "4"
                                                                           : "3";
    v["flowDurationMilliseconds"] = std::to_string(
        end.time_since_epoch().count() / 1'000'000 - s.started.time_since_epoch().count() / 1'000'000);
    v["tcpSmoothedRttMicroseconds"] = std::to_string(s.tcp.smoothed_rtt_us);
    v["tcpMinimumRttMicroseconds"] = std::to_string(s.tcp.minimum_rtt_us);
    const std::string again =
        std::to_string(Less(s.tcp.retransmitted_packets, since.retransmitted_packets));
    v["tcpRetransmittedPacketDeltaCount"] = again;
    v[active ? "RETRANSMITTED_IN_PKTS" : "RETRANSMITTED_OUT_PKTS"] = again;
    uint64_t handshake = 0;
    if (active && s.established && !s.existing) {
      const int64_t took = (*s.established - s.started).count() / 1000;
      handshake = took < 1 ? 1 : std::min<uint64_t>(static_cast<uint64_t>(took), 0xFFFFFFFF);
    }
    v["tcpHandshakeMicroseconds"] = std::to_string(handshake);
    v["socketError"] = std::to_string(s.tcp.error);
    v["sessionCloseReason"] = is_end ? reason : "none";
  }
  v["processStartNanosecondsSinceBoot"] = std::to_string(s.process ? s.process->start_time : 0);
  v["processAttributionQuality"] = std::to_string(static_cast<int>(s.attribution));
  v["processThreadName"] = s.process ? "thread" : "";
  v["processThreadId"] = std::to_string(s.process ? s.process->thread_id : 0);
  v["processCgroupId"] = std::to_string(s.process ? s.process->cgroup_id : 0);
  v["processCgroupPath"] = s.process && s.process->detail ? s.process->detail->cgroup_path : "";
  v["processContainerRuntime"] = s.container ? "containerd" : "";
  v["sessionPreExisting"] = s.existing ? "true" : "false";
  v["networkNamespaceInode"] = std::to_string(s.netns);
  v["socketCookie"] = std::to_string(s.socket_cookie);
  for (const bool source : {true, false}) {
    const std::string end_name = source ? "source" : "destination";
    const auto& pod = source == active ? s.pod : s.remote_pod;
    v[end_name + "PodNamespace"] = pod ? pod->pod_namespace : "";
    v[end_name + "PodName"] = pod ? pod->pod_name : "";
    v[end_name + "NodeName"] = pod ? pod->node_name : "";
    v[end_name + "PodWorkload"] = pod ? pod->workload : "";
    v[end_name + "PodLabels"] = pod ? pod->labels : "";
    const bool is_uid = source == active && s.container && s.container->pod_uid.size() > 13 &&
                        s.container->pod_uid.size() != 33;
    v[end_name + "PodUUID"] = is_uid ? "8f1bc6f24a4e4c0e9f3a0b6f1d2c3e4f" : std::string(32, '0');
  }
  const std::string side = active ? "SRC_" : "DST_";
  v[side + "PROC_PID"] = std::to_string(s.process ? s.process->pid : 0);
  v[side + "PROC_NAME"] = sample.expected_name;
  v[side + "PROC_UID"] = s.process ? std::to_string(s.process->uid) : "4294967295";
  v[side + "PROC_USER_NAME"] = s.user_name;
  v[side + "FATHER_PROC_PID"] = std::to_string(s.process ? s.process->parent_pid : 0);
  v[side + "FATHER_PROC_NAME"] = sample.expected_parent;
  v[side + "PROC_PKG_NAME"] = s.executable;
  v[side + "PROC_CONTAINER_ID"] = s.container ? s.container->id : "";
  v[side + "PROC_CMDLINE"] = s.command_line;
  if (sample.kind != Kind::kStart) {
    const uint32_t rtt = s.tcp.smoothed_rtt_us;
    v[active ? "SERVER_NW_LATENCY_MS" : "CLIENT_NW_LATENCY_MS"] =
        std::to_string(rtt / 2000 + (rtt % 2000 >= 1000 ? 1 : 0));
  }
  return v;
}

// Under the number that was configured they are known to nobody else.
const Element* ElementOf(const DecodedField& field) {
  return field.pen == kPen ? FindElement(kOwn, field.id) : field.element;
}

// Every field of the record as `sample` says, none missing.
void Compare(const RecordView& view, const SessionTemplate& description, const Sample& sample) {
  const Values expected = Expected(sample);
  ASSERT_EQ(view.description.id, description.id);
  ASSERT_EQ(view.values.size(), description.fields.size());
  for (size_t i = 0; i < view.values.size(); ++i) {
    const Element* element = ElementOf(view.description.fields[i]);
    ASSERT_EQ(element, description.fields[i].element) << i;
    const auto found = expected.find(std::string(element->name));
    ASSERT_NE(found, expected.end()) << element->name << " does not belong in this record";
    std::string received;
    AppendValue(element, view.values[i], received);
    std::string whole = found->second;
    if (element->type == Type::kString && description.fields[i].length != kVariableLength) {
      whole = whole.substr(0, description.fields[i].length);
      received = ReadString(view.values[i]);
    }
    ASSERT_EQ(received, whole) << element->name;
  }
}

std::vector<std::string> EveryName() {
  std::vector<std::string> names;
  const std::string csv = ListFields(std::nullopt, ListFormat::kCsv);
  for (size_t at = csv.find('\n') + 1; at < csv.size(); at = csv.find('\n', at) + 1) {
    const size_t begin = csv.find(',', csv.find(',', at) + 1) + 1;
    names.push_back(csv.substr(begin, csv.find(',', begin) - begin));
  }
  return names;
}

struct Case {
  std::string name;
  Layout layout;
};

std::vector<Case> Cases() {
  return {
      {"process", Layout::OfProfile(Profile::kProcess)},
      {"iana", Layout::OfProfile(Profile::kIanaOnly)},
      {"fixed", Layout::OfProfile(Profile::kFixed)},
      {"full", Layout::OfProfile(Profile::kFull)},
      {"full_own", Layout::OfProfile(Profile::kFull, kPen)},
      {"fields", *Layout::OfFields(EveryName(), kPen)},
  };
}

class RoundTripTest : public ::testing::TestWithParam<Case> {};

TEST_P(RoundTripTest, EveryFieldArrivesAsItWas) {
  const Layout& layout = GetParam().layout;
  std::mt19937_64 random(20261121);
  // Room for all strings of a record: in a datagram the longest would be cut.
  MessageEncoder encoder({.max_message_octets = 4000, .pen = layout.pen()});
  MessageDecoder decoder({});
  std::vector<std::pair<Sample, const SessionTemplate*>> waiting;
  std::map<uint16_t, int> seen;
  const auto finish = [&] {
    size_t delivered = 0;
    const absl::Status status = decoder.Decode(
        "a", encoder.Finish(Time(std::chrono::seconds(5))), [&](const RecordView& view) {
          ASSERT_LT(delivered, waiting.size());
          ++seen[view.description.id];
          const auto& [sample, description] = waiting[delivered++];
          Compare(view, *description, sample);
        });
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_EQ(delivered, waiting.size());
    waiting.clear();
  };
  for (const Template& description : layout.templates()) {
    if (encoder.AddTemplate(description)) continue;
    finish();
    ASSERT_TRUE(encoder.AddTemplate(description));
  }
  for (int i = 0; i < 6000; ++i) {
    Sample sample = RandomSample(random);
    const SessionRecord record = sample.record();
    const SessionTemplate* description = layout.For(record);
    ASSERT_NE(description, nullptr);
    if (!encoder.Add(*description, record)) {
      finish();
      ASSERT_TRUE(encoder.Add(*description, record));
    }
    waiting.emplace_back(std::move(sample), description);
    if (HasFatalFailure()) return;
  }
  finish();
  EXPECT_EQ(seen.size(), layout.templates().size()) << "not every template was tried";
  for (const auto& [id, count] : seen) EXPECT_GT(count, 300) << id;
  EXPECT_EQ(decoder.stats().records, 6000u);
  EXPECT_EQ(decoder.stats().lost_records, 0u);
}

INSTANTIATE_TEST_SUITE_P(Layouts, RoundTripTest, ::testing::ValuesIn(Cases()),
                         [](const auto& test) { return test.param.name; });

// What remains of strings longer than a message has room for is a valid beginning of them.
TEST(LongStringTest, AreCutBetweenCharacters) {
  Session session = ExampleSession();
  std::string executable;
  for (int i = 0; i < 2000; ++i) executable += "\xe2\x82\xac";
  session.executable = executable;
  const SessionRecord record{Kind::kEnd, session};
  for (const size_t bound : {512, 1400, 65535}) {
    MessageEncoder encoder({.max_message_octets = bound});
    MessageDecoder decoder({});
    const Layout layout = Layout::OfProfile(Profile::kProcess);
    const SessionTemplate& description = *layout.For(record);
    ASSERT_TRUE(encoder.AddTemplate(description));
    ASSERT_TRUE(decoder.Decode("a", encoder.Finish(Time{}), [](const RecordView&) {}).ok());
    ASSERT_TRUE(encoder.Add(description, record));
    std::string received;
    ASSERT_TRUE(decoder
                    .Decode("a", encoder.Finish(Time{}),
                            [&](const RecordView& view) {
                              received = ReadString(view.values.back());
                            })
                    .ok());
    EXPECT_EQ(received.size() % 3, 0u);
    EXPECT_GT(received.size(), 100u);
    EXPECT_LE(received.size(), 1024u);
    EXPECT_EQ(received, executable.substr(0, received.size()));
  }
}

}  // namespace
}  // namespace sockflow::ipfix
