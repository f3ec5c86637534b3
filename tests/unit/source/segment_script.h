// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "source/pcap/handshake_tracker.h"

namespace sockflow::pcap::testing {

inline Time Milliseconds(int64_t count) { return Time(std::chrono::milliseconds(count)); }

inline Endpoint Make(std::string_view address, uint16_t port) {
  return {*IpAddress::Parse(address), port};
}

// Packets as text, "TIME SIDE WHAT; ...", in milliseconds:
//   0 C S; 1 S SA; 2 C A; 3 C D/100; 4 C F+5; 5 S F; 6 S R
// C (10.0.0.1:1000) and S (10.0.0.2:80) send S SYN, SA SYN+ACK, A ACK, D data, F FIN+ACK, R RST, RA
// RST+ACK, or other flags in digits. `/N` is payload, `+N` payload before it that is not seen.
// Sequence numbers follow by themselves, from 1000 for C and 5000 for S. `~` in front sends the
// last sequence number of this side again. Then may come: isn=N (the next ISN of this side), seq=N
// and ack=N (from the ISN of the side they are of), if=N (interface), hdr=N (octets).
class Script {
 public:
  Endpoint client = Make("10.0.0.1", 1000);
  Endpoint server = Make("10.0.0.2", 80);

  std::vector<TcpSegment> Read(std::string_view text) {
    std::vector<TcpSegment> segments;
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line, ';');) {
      if (line.find_first_not_of(" \n") != std::string::npos) segments.push_back(ReadOne(line));
    }
    return segments;
  }

 private:
  struct Sender {
    uint32_t isn, next, last;
  };

  static int64_t Number(std::string_view text) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    EXPECT_EQ(end, text.data() + text.size()) << text;
    return value;
  }

  TcpSegment ReadOne(const std::string& line) {
    std::istringstream words(line);
    int64_t time = 0;
    std::string side, what;
    words >> time >> side >> what;
    EXPECT_TRUE(side == "C" || side == "S") << line;
    Sender& own = senders_[side == "C" ? 0 : 1];
    Sender& other = senders_[side == "C" ? 1 : 0];
    TcpSegment segment{.at = Milliseconds(time), .source = client, .destination = server};
    if (side == "S") std::swap(segment.source, segment.destination);
    const bool again = what.starts_with('~');
    const size_t sign = what.find_first_of("+/");
    const std::string flags = what.substr(again, sign - again);
    uint32_t unseen = 0;
    if (sign != std::string::npos) {
      const auto count = static_cast<uint32_t>(Number(std::string_view(what).substr(sign + 1)));
      (what[sign] == '/' ? segment.payload_octets : unseen) = count;
    }
    segment.flags = flags == "S"    ? kSyn
                    : flags == "SA" ? kSyn | kAck
                    : flags == "A"  ? kAck
                    : flags == "D"  ? kAck | 0x08
                    : flags == "F"  ? kFin | kAck
                    : flags == "R"  ? kRst
                    : flags == "RA" ? kRst | kAck
                                    : static_cast<uint8_t>(Number(flags));
    const bool syn = (segment.flags & kSyn) != 0;
    segment.tcp_header_octets = syn ? 40 : 32;
    std::string seq, ack;
    for (std::string word; words >> word;) {
      const size_t equals = word.find('=');
      const std::string key = word.substr(0, equals), value = word.substr(equals + 1);
      if (key == "isn") own.isn = static_cast<uint32_t>(Number(value));
      if (key == "seq") seq = value;
      if (key == "ack") ack = value;
      if (key == "if") segment.interface = static_cast<uint32_t>(Number(value));
      if (key == "hdr") segment.tcp_header_octets = static_cast<uint8_t>(Number(value));
    }
    if (syn) own.next = own.isn;
    own.next += again ? 0 : unseen;
    segment.sequence = again && !syn ? own.last : own.next;
    if (!seq.empty()) segment.sequence = own.isn + static_cast<uint32_t>(Number(seq));
    if ((segment.flags & kAck) != 0) segment.acknowledgment = other.next;
    if (!ack.empty()) segment.acknowledgment = other.isn + static_cast<uint32_t>(Number(ack));
    own.last = segment.sequence;
    if (syn || (!again && seq.empty())) {
      own.next += segment.payload_octets + (syn ? 1 : 0) + ((segment.flags & kFin) != 0 ? 1 : 0);
    }
    return segment;
  }

  std::array<Sender, 2> senders_ = {Sender{1000, 1000, 1000}, Sender{5000, 5000, 5000}};
};

inline std::string_view NameOf(TcpState state) {
  constexpr std::string_view kNames[] = {"unknown",    "ESTABLISHED", "SYN_SENT", "SYN_RECV",
                                         "FIN_WAIT1",  "FIN_WAIT2",   "TIME_WAIT", "CLOSE",
                                         "CLOSE_WAIT", "LAST_ACK",    "LISTEN",   "CLOSING"};
  return kNames[static_cast<size_t>(state)];
}

inline int64_t Ms(Time time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

// "0 connect 2 C>S", "4 established 3 S<C from 1", and with cause, state, octets sent and received
// "5 close 2 C>S from 0 est 1 local-fin FIN_WAIT2 50/70 rtt 1000 fin". What is 0 or missing, or the
// same as what is before it, is left out.
inline std::string ToText(const SessionEvent& event) {
  const auto side = [](const Endpoint& endpoint) { return endpoint.port == 80 ? "S" : "C"; };
  const bool close = event.kind == SessionEvent::Kind::kClose;
  std::string text = fmt::format(
      "{} {} {} {}{}{}", Ms(event.at),
      close                                            ? "close"
      : event.kind == SessionEvent::Kind::kConnect     ? "connect"
      : event.kind == SessionEvent::Kind::kEstablished ? "established"
      : event.kind == SessionEvent::Kind::kExisting    ? "existing"
                                                       : "?",
      event.id, side(event.local), event.direction == Direction::kActive ? ">" : "<",
      side(event.remote));
  if (event.started != event.at) text += fmt::format(" from {}", Ms(event.started));
  if (event.established && event.established != event.started) {
    text += fmt::format(" est {}", Ms(*event.established));
  }
  EXPECT_EQ(event.announced, close);
  EXPECT_TRUE(event.accepted);
  EXPECT_GE(event.at, event.started);
  if (!close) return text;
  const TcpFacts& tcp = event.tcp;
  text += fmt::format(" {} {} {}/{}", ToString(event.end_cause), NameOf(event.last_state),
                      tcp.octets_sent, tcp.octets_received);
  if (tcp.packets_sent + tcp.packets_received > 0) {
    text += fmt::format(" packets {}/{}", tcp.packets_sent, tcp.packets_received);
  }
  if (tcp.retransmitted_packets > 0) text += fmt::format(" again {}", tcp.retransmitted_packets);
  if (tcp.smoothed_rtt_us > 0) text += fmt::format(" rtt {}", tcp.smoothed_rtt_us);
  EXPECT_EQ(tcp.smoothed_rtt_us, tcp.minimum_rtt_us);
  if (tcp.error != 0) text += fmt::format(" error {}", tcp.error);
  if (tcp.fin_received) text += " fin";
  return text;
}

// A tracker, and what it told as text.
class TrackerTest : public ::testing::Test {
 protected:
  enum Observed { kClient = 1, kServer = 2, kBoth = 3 };

  // `observed` are the hosts whose sessions are ours, whoever is the initiator.
  void Begin(Observed observed, HandshakeTracker::Options options = {}) {
    options.ends = [observed](const Endpoint& initiator, const Endpoint& responder) {
      const auto ours = [observed](const Endpoint& e) {
        return (observed & (e.port == 80 ? kServer : kClient)) != 0;
      };
      return HandshakeTracker::Ends{ours(initiator), ours(responder)};
    };
    // Even ids are the initiator's end's, odd ones the responder's.
    if (options.first_id == 1) options.first_id = 2;
    script_ = Script();
    told_.clear();
    tracker_.emplace(std::move(options));
  }
  auto Tell() {
    return [this](const SessionEvent& event) {
      told_.push_back(ToText(event));
      last_ = event;
    };
  }
  void Adopt(Time at) { tracker_->Adopt(script_.client, script_.server, at, Tell()); }
  void Send(std::string_view text) {
    for (const TcpSegment& segment : script_.Read(text)) tracker_->Apply(segment, Tell());
  }
  std::vector<std::string> Told() { return std::exchange(told_, {}); }
  // What is told of this from beginning to end.
  std::vector<std::string> Run(Observed observed, std::string_view text,
                               HandshakeTracker::Options options = {}) {
    Begin(observed, std::move(options));
    Send(text);
    return Told();
  }
  static HandshakeTracker::Options EverySegment() {
    HandshakeTracker::Options options;
    options.every_segment = true;
    return options;
  }
  const HandshakeTracker::Stats& stats() const { return tracker_->stats(); }

  Script script_;
  std::optional<HandshakeTracker> tracker_;
  std::vector<std::string> told_;
  SessionEvent last_;
};

}  // namespace sockflow::pcap::testing
