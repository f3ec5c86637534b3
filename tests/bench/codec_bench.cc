// SPDX-License-Identifier: MIT

// Records a second on one core, in memory: codec_bench SECONDS, for each measurement. Prints JSON:
// "encode NAME" for templates of each profile, "decode NAME" with every value read, "octets NAME" of
// a record. Messages have 1400 octets, as over UDP. fixbuf_codec.c does the same with the records of
// "25 elements", of which two are strings: here of a compiled template, and of a list of one's own.

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "sockflow/ipfix/layout.h"
#include "sockflow/ipfix/message_decoder.h"
#include "sockflow/ipfix/message_encoder.h"
#include "sockflow/ipfix/value.h"
#include "tests/bench/flow_record.h"

namespace sockflow::ipfix {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = SessionRecord::Kind;

constexpr int kMessages = 64;
using bench::kFlowTemplate;
using bench::kNow;

// The same fields.
Layout ListOf25Elements() {
  std::vector<std::string> names;
  for (const Field& field : kFlowTemplate.fields) names.emplace_back(field.element->name);
  auto layout = Layout::OfFields(names);
  if (!layout.ok()) std::abort();
  return *std::move(layout);
}

class Printer {
 public:
  Printer() { std::printf("{"); }
  ~Printer() { std::printf("}\n"); }
  void Print(const char* what, std::string_view name, double figure) {
    std::printf("%s\"%s %.*s\": %.0f", first_ ? "" : ", ", what, static_cast<int>(name.size()),
                name.data(), figure);
    first_ = false;
  }
  void Print(const char* what, std::string_view name, uint64_t records, Clock::duration took) {
    Print(what, name,
          static_cast<double>(records) / std::chrono::duration<double>(took).count());
  }

 private:
  bool first_ = true;
};

// Makes the compiler believe that somebody looks at the message.
void Look(std::span<const uint8_t> message) { asm volatile("" : : "r"(message.data()) : "memory"); }

// `template_of` tells the template of a record.
template <typename TemplateOfRecord>
void MeasureEncode(TemplateOfRecord template_of, Kind kind, std::string_view name,
                   Clock::duration time, const std::vector<Session>& sessions, Printer& printer) {
  MessageEncoder encoder{MessageEncoder::Options()};
  uint64_t records = 0;
  size_t octets = 0;
  const auto begin = Clock::now();
  Clock::duration took{};
  while (took < time) {
    for (int round = 0; round < 100; ++round) {
      for (const Session& session : sessions) {
        const SessionRecord record{kind, session};
        const SessionTemplate& description = template_of(record);
        if (encoder.Add(description, record)) continue;
        const size_t count = encoder.records();
        const std::span<const uint8_t> message = encoder.Finish(kNow);
        Look(message);
        octets = (message.size() - kMessageHeaderOctets - kSetHeaderOctets) / count;
        (void)encoder.AddAgain(description, record);
      }
    }
    records += 100 * sessions.size();
    took = Clock::now() - begin;
  }
  printer.Print("encode", name, records, took);
  if (name.starts_with("25")) printer.Print("octets", name, static_cast<double>(octets));
}

void MeasureEncode(const Layout& layout, Kind kind, std::string_view name, Clock::duration time,
                   const std::vector<Session>& sessions, Printer& printer) {
  MeasureEncode(
      [&layout](const SessionRecord& record) -> const SessionTemplate& {
        return *layout.For(record);
      },
      kind, name, time, sessions, printer);
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

void MeasureDecode(const Layout& layout, Kind kind, std::string_view name, Clock::duration time,
                   const std::vector<Session>& sessions, Printer& printer) {
  MessageEncoder encoder{MessageEncoder::Options()};
  MessageDecoder decoder{MessageDecoder::Options()};
  uint64_t sum = 0;
  const auto deliver = [&sum](const RecordView& record) { sum += ReadAll(record); };
  for (const Template& description : layout.templates()) {
    if (encoder.AddTemplate(description)) continue;
    (void)decoder.Decode("peer", encoder.Finish(kNow), deliver);
    (void)encoder.AddTemplate(description);
  }
  (void)decoder.Decode("peer", encoder.Finish(kNow), deliver);

  std::vector<std::vector<uint8_t>> messages;
  for (size_t i = 0; messages.size() < kMessages; ++i) {
    const SessionRecord record{kind, sessions[i % sessions.size()]};
    const SessionTemplate& description = *layout.For(record);
    if (encoder.Add(description, record)) continue;
    const std::span<const uint8_t> message = encoder.Finish(kNow);
    messages.emplace_back(message.begin(), message.end());
    (void)encoder.AddAgain(description, record);
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
  const std::vector<sockflow::Session> sessions = sockflow::bench::EqualSessions();
  Printer printer;
  const Layout process = Layout::OfProfile(Profile::kProcess);
  const Layout iana = Layout::OfProfile(Profile::kIanaOnly);
  const Layout full = Layout::OfProfile(Profile::kFull);
  const Layout listed = ListOf25Elements();
  const auto compiled = [](const sockflow::SessionRecord&) -> const SessionTemplate& {
    return kFlowTemplate;
  };
  MeasureEncode(compiled, Kind::kEnd, "25 elements", time, sessions, printer);
  MeasureEncode(listed, Kind::kEnd, "25 elements, listed", time, sessions, printer);
  MeasureEncode(process, Kind::kStart, "process-start-ipv4", time, sessions, printer);
  MeasureEncode(process, Kind::kEnd, "process-end-ipv4", time, sessions, printer);
  MeasureEncode(iana, Kind::kStart, "iana-start-ipv4", time, sessions, printer);
  MeasureEncode(iana, Kind::kEnd, "iana-end-ipv4", time, sessions, printer);
  MeasureEncode(full, Kind::kEnd, "full-end-ipv4", time, sessions, printer);
  MeasureDecode(listed, Kind::kEnd, "25 elements", time, sessions, printer);
  MeasureDecode(process, Kind::kEnd, "process-end-ipv4", time, sessions, printer);
  MeasureDecode(iana, Kind::kEnd, "iana-end-ipv4", time, sessions, printer);
}
