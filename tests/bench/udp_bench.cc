// SPDX-License-Identifier: MIT

// Records a second over UDP loopback: udp_bench SECONDS ROUNDS [PORT]. Encodes and sends, in turns,
// in this process: our encoder and transport, libfixbuf's exporter, a bare loop of send() of
// messages that are encoded already. Prints JSON: for each of them the figures of all rounds.
//
// All of them send to the same socket: that of a program which listens on PORT of 127.0.0.1, or one
// of this process, which nobody reads and whose buffer is small. Then what is measured is what
// sending costs, on one core, through the kernel's stack down to the receiver's full buffer.

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ipfix/wire.h"
#include "sockflow/ipfix/layout.h"
#include "sockflow/ipfix/message_encoder.h"
#include "tests/bench/flow_record.h"
#include "transport/udp_transport.h"
#include "transport/waiter.h"
#ifdef SOCKFLOW_WITH_FIXBUF
#include "tests/bench/fixbuf_udp.h"
#endif

namespace sockflow::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMessageOctets = 1400;
constexpr size_t kLongestBatch = 64;

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "udp_bench: %s\n", what);
  std::exit(1);
}

class Sink {
 public:
  Sink() : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const int octets = 4096;
    setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
    sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    Check(bind(socket_.fd(), any, length) == 0 && getsockname(socket_.fd(), any, &length) == 0,
          "no port of 127.0.0.1 can be bound");
    port_ = ntohs(address.sin_port);
  }
  uint16_t port() const { return port_; }

 private:
  transport::Socket socket_;
  uint16_t port_ = 0;
};

using Describe = const ipfix::SessionTemplate& (*)(const SessionRecord&);

const ipfix::SessionTemplate& Flow(const SessionRecord&) { return kFlowTemplate; }
const ipfix::SessionTemplate& ProcessProfile(const SessionRecord& record) {
  static const ipfix::Layout layout = ipfix::Layout::OfProfile(ipfix::Profile::kProcess);
  return *layout.For(record);
}

// Makes full messages without end, of ever the same records.
class Stream {
 public:
  Stream(const std::vector<Session>& sessions, Describe describe)
      : sessions_(sessions),
        describe_(describe),
        encoder_({.max_message_octets = kMessageOctets}) {}

  // Returns the number of records in it.
  size_t Next(std::vector<uint8_t>& message) {
    for (;;) {
      const SessionRecord record{SessionRecord::Kind::kEnd, sessions_[at_]};
      if (!encoder_.Add(describe_(record), record)) break;
      at_ = at_ + 1 == sessions_.size() ? 0 : at_ + 1;
    }
    const size_t records = encoder_.records();
    const std::span<const uint8_t> octets = encoder_.Finish(kNow);
    message.assign(octets.begin(), octets.end());
    return records;
  }

 private:
  const std::vector<Session>& sessions_;
  Describe describe_;
  ipfix::MessageEncoder encoder_;
  size_t at_ = 0;
};

// Fills the message up with zeros, as far as RFC 7011 3.3.1 allows: less than the shortest record
// of its last set.
void PadToFull(std::vector<uint8_t>& message, size_t shortest_record) {
  const size_t padding = kMessageOctets - message.size();
  if (padding == 0 || padding >= shortest_record) return;
  size_t set = ipfix::kMessageHeaderOctets;
  size_t length = 0;
  while (set + (length = size_t{message[set + 2]} << 8 | message[set + 3]) < message.size()) {
    set += length;
  }
  message.resize(kMessageOctets);
  ipfix::StoreBigEndian<2>(length + padding, &message[set + 2]);
  ipfix::StoreBigEndian<2>(kMessageOctets, &message[2]);
}

double RecordsASecond(Clock::duration time, auto send_some) {
  uint64_t records = 0;
  const auto begin = Clock::now();
  Clock::duration took{};
  while (took < time) {
    for (int i = 0; i < 8; ++i) records += send_some();
    took = Clock::now() - begin;
  }
  return static_cast<double>(records) / std::chrono::duration<double>(took).count();
}

enum class Work { kSend, kEncodeAndSend, kEncodePadAndSend };

class Ours {
 public:
  Ours(uint16_t port, const std::vector<Session>& sessions, Describe describe, size_t batch,
       Work work = Work::kEncodeAndSend, size_t shortest_record = 0)
      : stream_(sessions, describe),
        batch_(batch),
        work_(work),
        shortest_record_(shortest_record),
        waiter_(*transport::Waiter::Make()),
        transport_({"udp", "127.0.0.1", port}) {
    Check(transport_.Open(*waiter_, Clock::now()).ok(), "the transport does not open");
    records_ = Encode();
  }

  double Round(Clock::duration time) {
    return RecordsASecond(time, [this] {
      const size_t records = work_ == Work::kSend ? records_ : Encode();
      const auto result = transport_.Send({spans_.data(), batch_}, *waiter_, Clock::now());
      Check(result.outcome == Transport::Outcome::kAll, "not everything was sent");
      return records;
    });
  }

 private:
  size_t Encode() {
    size_t records = 0;
    for (size_t i = 0; i < batch_; ++i) {
      records += stream_.Next(messages_[i]);
      if (work_ == Work::kEncodePadAndSend) PadToFull(messages_[i], shortest_record_);
      spans_[i] = messages_[i];
    }
    return records;
  }

  Stream stream_;
  size_t batch_;
  Work work_;
  size_t shortest_record_;
  size_t records_ = 0;  // in the first messages
  std::unique_ptr<transport::Waiter> waiter_;
  transport::UdpTransport transport_;
  std::array<std::vector<uint8_t>, kLongestBatch> messages_;
  std::array<std::span<const uint8_t>, kLongestBatch> spans_;
};

class BareLoop {
 public:
  BareLoop(uint16_t port, const std::vector<Session>& sessions, Describe describe)
      : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in address = {.sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr = {htonl(INADDR_LOOPBACK)}};
    Check(connect(socket_.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0,
          "the bare loop's socket does not connect");
    Stream stream(sessions, describe);
    for (std::vector<uint8_t>& message : messages_) records_ += stream.Next(message);
  }

  double Round(Clock::duration time) {
    return RecordsASecond(time, [this] {
      for (const std::vector<uint8_t>& message : messages_) {
        Check(send(socket_.fd(), message.data(), message.size(), 0) >= 0, "send() failed");
      }
      return records_;
    });
  }

 private:
  transport::Socket socket_;
  std::array<std::vector<uint8_t>, kLongestBatch> messages_;
  size_t records_ = 0;
};

void Run(Clock::duration time, int rounds, uint16_t port) {
  const std::vector<Session> equal = EqualSessions();
  const std::vector<Session> mixed = MixedSessions();
  const size_t shortest = [&] {
    const ipfix::Template& end = ProcessProfile({SessionRecord::Kind::kEnd, mixed.front()});
    return end.fixed_octets + end.variable_fields;
  }();
  Ours by_16(port, equal, Flow, 16), by_64(port, equal, Flow, 64);
  Ours sent_16(port, equal, Flow, 16, Work::kSend);
  BareLoop bare(port, equal, Flow);
  Ours mixed_16(port, mixed, ProcessProfile, 16), mixed_64(port, mixed, ProcessProfile, 64);
  Ours mixed_sent(port, mixed, ProcessProfile, 16, Work::kSend);
  Ours mixed_padded(port, mixed, ProcessProfile, 16, Work::kEncodePadAndSend, shortest);
  BareLoop mixed_bare(port, mixed, ProcessProfile);

  std::map<std::string, std::vector<double>> figures;
  for (int i = 0; i < rounds; ++i) {
    figures["ours by 16"].push_back(by_16.Round(time));
#ifdef SOCKFLOW_WITH_FIXBUF
    figures["libfixbuf"].push_back(fixbuf_udp_round(
        std::to_string(port).c_str(), std::chrono::duration<double>(time).count()));
#endif
    figures["bare loop"].push_back(bare.Round(time));
    figures["ours by 64"].push_back(by_64.Round(time));
    figures["ours by 16, encoded before"].push_back(sent_16.Round(time));
    figures["mixed: ours by 16"].push_back(mixed_16.Round(time));
    figures["mixed: bare loop"].push_back(mixed_bare.Round(time));
    figures["mixed: ours by 64"].push_back(mixed_64.Round(time));
    figures["mixed: ours by 16, padded"].push_back(mixed_padded.Round(time));
    figures["mixed: ours by 16, encoded before"].push_back(mixed_sent.Round(time));
  }
  const char* between = "{";
  for (const auto& [name, values] : figures) {
    std::printf("%s\"%s\": [", between, name.c_str());
    for (size_t i = 0; i < values.size(); ++i) std::printf("%s%.0f", i == 0 ? "" : ", ", values[i]);
    std::printf("]");
    between = ", ";
  }
  std::printf("}\n");
}

}  // namespace
}  // namespace sockflow::bench

int main(int argc, char** argv) {
  using namespace sockflow::bench;
  const double seconds = argc > 1 ? std::atof(argv[1]) : 0.3;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 7;
  const Sink sink;
  Run(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)),
      std::max(1, rounds), argc > 3 ? static_cast<uint16_t>(std::atoi(argv[3])) : sink.port());
}
