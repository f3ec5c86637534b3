// SPDX-License-Identifier: MIT

// Records a second on one core, in memory: codec_bench SECONDS, for each measurement. Prints JSON:
// "encode NAME" for templates of each profile, "decode NAME" with every value read. Messages have
// 1400 octets, as over UDP. fixbuf_codec.c does the same with the records of iana-end-ipv4.

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "sockflow/ipfix/message_decoder.h"
#include "sockflow/ipfix/message_encoder.h"
#include "sockflow/ipfix/value.h"

namespace sockflow::ipfix {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = SessionRecord::Kind;

constexpr int kSessions = 64;
constexpr int kMessages = 64;
constexpr Time kNow = Time(std::chrono::seconds(1'800'000'000));

std::vector<Session> MakeSessions() {
  std::vector<Session> sessions;
  for (uint8_t i = 0; i < kSessions; ++i) {
    const std::array<uint8_t, 4> client = {192, 0, 2, i}, server = {198, 51, 100, i};
    Session session{.id = uint64_t{0x123456789abc0000} + i,
                    .direction = i % 2 == 0 ? Direction::kActive : Direction::kPassive,
                    .last_state = TcpState::kFinWait2,
                    .local = {IpAddress::V4(client), static_cast<uint16_t>(40'000 + i)},
                    .remote = {IpAddress::V4(server), 443},
                    .started = kNow,
                    .established = kNow,
                    .ended = kNow + std::chrono::milliseconds(i),
                    .process = Process{.pid = 4000u + i, .parent_pid = 1, .uid = 33,
                                       .name = TaskName("nginx"),
                                       .parent_name = TaskName("systemd")},
                    .tcp = {.octets_sent = 1000u * i, .octets_received = 100'000u * i,
                            .packets_sent = 10, .packets_received = 20, .smoothed_rtt_us = 1234,
                            .tcp_header_octets = 32, .fin_received = true},
                    .user_name = "www-data",
                    .executable = "/usr/sbin/nginx"};
    sessions.push_back(session);
  }
  return sessions;
}

class Printer {
 public:
  Printer() { std::printf("{"); }
  ~Printer() { std::printf("}\n"); }
  void Print(const char* what, std::string_view name, uint64_t records, Clock::duration took) {
    const double seconds = std::chrono::duration<double>(took).count();
    std::printf("%s\"%s %.*s\": %.0f", first_ ? "" : ", ", what, static_cast<int>(name.size()),
                name.data(), static_cast<double>(records) / seconds);
    first_ = false;
  }

 private:
  bool first_ = true;
};

// Makes the compiler believe that somebody looks at the message.
void Look(std::span<const uint8_t> message) { asm volatile("" : : "r"(message.data()) : "memory"); }

void MeasureEncode(Profile profile, Kind kind, std::string_view name, Clock::duration time,
                   const std::vector<Session>& sessions, Printer& printer) {
  MessageEncoder encoder{MessageEncoder::Options()};
  uint64_t records = 0;
  const auto begin = Clock::now();
  Clock::duration took{};
  while (took < time) {
    for (int round = 0; round < 100; ++round) {
      for (const Session& session : sessions) {
        const SessionRecord record{kind, session};
        const Template& description = TemplateFor(profile, record);
        if (encoder.Add(description, record)) continue;
        Look(encoder.Finish(kNow));
        (void)encoder.Add(description, record);
      }
    }
    records += 100 * sessions.size();
    took = Clock::now() - begin;
  }
  printer.Print("encode", name, records, took);
}

uint64_t ReadAll(const RecordView& record) {
  uint64_t sum = 0;
  for (size_t i = 0; i < record.values.size(); ++i) {
    if (record.description.fields[i].length == kVariableLength) {
      sum += ReadString(record.values[i]).size();
    } else {
      sum += *ReadUnsigned(record.values[i]);
    }
  }
  return sum;
}

void MeasureDecode(Profile profile, Kind kind, std::string_view name, Clock::duration time,
                   const std::vector<Session>& sessions, Printer& printer) {
  MessageEncoder encoder{MessageEncoder::Options()};
  MessageDecoder decoder{MessageDecoder::Options()};
  uint64_t sum = 0;
  const auto deliver = [&sum](const RecordView& record) { sum += ReadAll(record); };
  for (const Template& description : TemplatesOf(profile)) {
    if (encoder.AddTemplate(description)) continue;
    (void)decoder.Decode("peer", encoder.Finish(kNow), deliver);
    (void)encoder.AddTemplate(description);
  }
  (void)decoder.Decode("peer", encoder.Finish(kNow), deliver);

  std::vector<std::vector<uint8_t>> messages;
  for (size_t i = 0; messages.size() < kMessages; ++i) {
    const SessionRecord record{kind, sessions[i % sessions.size()]};
    const Template& description = TemplateFor(profile, record);
    if (encoder.Add(description, record)) continue;
    const std::span<const uint8_t> message = encoder.Finish(kNow);
    messages.emplace_back(message.begin(), message.end());
    (void)encoder.Add(description, record);
  }
  const auto begin = Clock::now();
  Clock::duration took{};
  const uint64_t before = decoder.stats().records;
  while (took < time) {
    for (int round = 0; round < 20; ++round) {
      for (const auto& message : messages) {
        if (!decoder.Decode("peer", message, deliver).ok()) std::abort();
      }
    }
    took = Clock::now() - begin;
  }
  printer.Print("decode", name, decoder.stats().records - before, took);
  if (sum == 0) std::abort();
}

}  // namespace
}  // namespace sockflow::ipfix

int main(int argc, char** argv) {
  using namespace sockflow::ipfix;
  const auto time = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(argc > 1 ? std::atof(argv[1]) : 0.3));
  const std::vector<sockflow::Session> sessions = MakeSessions();
  Printer printer;
  MeasureEncode(Profile::kProcess, Kind::kStart, "process-start-ipv4", time, sessions, printer);
  MeasureEncode(Profile::kProcess, Kind::kEnd, "process-end-ipv4", time, sessions, printer);
  MeasureEncode(Profile::kIanaOnly, Kind::kStart, "iana-start-ipv4", time, sessions, printer);
  MeasureEncode(Profile::kIanaOnly, Kind::kEnd, "iana-end-ipv4", time, sessions, printer);
  MeasureDecode(Profile::kProcess, Kind::kEnd, "process-end-ipv4", time, sessions, printer);
  MeasureDecode(Profile::kIanaOnly, Kind::kEnd, "iana-end-ipv4", time, sessions, printer);
}
