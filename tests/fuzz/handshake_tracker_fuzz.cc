// SPDX-License-Identifier: MIT
// Octets become segments between a few endpoints, times and answers of the host: what the tracker
// tells of them must hold together (TrackerInvariants).
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "source/pcap/handshake_tracker.h"
#include "tests/unit/source/tracker_invariants.h"

namespace {

using namespace sockflow;        // NOLINT: one file, one function
using namespace sockflow::pcap;  // NOLINT

class Octets {
 public:
  Octets(const uint8_t* data, size_t size) : data_(data), left_(size) {}
  bool empty() const { return left_ == 0; }
  uint8_t Next() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  uint32_t Next32() {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | Next();
    return value;
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

Endpoint EndpointOf(uint8_t choice) {
  const uint8_t address[] = {10, 0, 0, static_cast<uint8_t>(choice & 1)};
  return {IpAddress::V4(std::span<const uint8_t, 4>(address)),
          static_cast<uint16_t>(choice >> 1 & 1)};
}

// Near to 0 most of the time, so that segments fit each other.
uint32_t Sequence(Octets& octets) {
  const uint8_t first = octets.Next();
  return first < 250 ? static_cast<uint32_t>(first & 7) : octets.Next32();
}

TcpSegment NextSegment(Octets& octets, Time at) {
  constexpr uint8_t kFlags[] = {kSyn, kSyn | kAck, kAck, kFin | kAck, kRst, kRst | kAck};
  const uint8_t ends = octets.Next(), what = octets.Next();
  return {
      .at = at,
      .source = EndpointOf(ends & 3),
      .destination = EndpointOf(ends >> 2 & 3),
      .sequence = Sequence(octets),
      .acknowledgment = Sequence(octets),
      .flags = what < 240 ? kFlags[what % std::size(kFlags)] : octets.Next(),
      .tcp_header_octets = octets.Next(),
      .payload_octets = ends >= 192 ? octets.Next() : 0u,
      .interface = static_cast<uint32_t>(ends >> 4 & 1),
  };
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Octets octets(data, size);
  const uint8_t settings = octets.Next();
  HandshakeTracker::Options options;
  options.max_sessions = 1 + (settings & 3);
  options.every_segment = (settings & 4) != 0;
  options.ends = [settings](const Endpoint& initiator, const Endpoint& responder) {
    const auto ours = [settings](const Endpoint& e) {
      return (settings >> (3 + (e.port & 1)) & 1) != 0;
    };
    return HandshakeTracker::Ends{ours(initiator), ours(responder)};
  };
  if ((settings & 32) != 0) {
    options.still_open = [&octets](const Endpoint&, const Endpoint&) {
      return (octets.Next() & 1) != 0;
    };
  }
  HandshakeTracker tracker(std::move(options));
  testing::TrackerInvariants invariants;
  const auto emit = [&invariants](const SessionEvent& event) { invariants.OnEvent(event); };
  Time at{};
  uint64_t segments = 0;
  while (!octets.empty() && invariants.fault().empty()) {
    const uint8_t what = octets.Next();
    if (what < 220) {
      tracker.Apply(NextSegment(octets, at), emit);
      ++segments;
    } else if (what < 230) {
      tracker.Expire(at, emit);
    } else if (what < 240) {
      tracker.Established(octets.Next(), at, emit);
    } else {
      // Up to four minutes on, or a little back.
      at += std::chrono::seconds(what < 252 ? octets.Next() : -static_cast<int>(what & 3));
    }
    if (tracker.size() > 4) invariants.Fault("more than max_sessions");
  }
  tracker.Finish(at, emit);
  invariants.OnFinished(tracker, segments);
  if (invariants.fault().empty()) return 0;
  fprintf(stderr, "handshake_tracker_fuzz: %s\n", invariants.fault().c_str());
  abort();
}
