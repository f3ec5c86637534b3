// SPDX-License-Identifier: MIT

// The deltas of all records of a session add up to what it carried, whatever came between: through the
// session table, encoded and decoded again.

#include <map>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sockflow/ipfix/layout.h"
#include "sockflow/ipfix/message_decoder.h"
#include "sockflow/ipfix/message_encoder.h"
#include "sockflow/ipfix/value.h"
#include "sockflow/session_table.h"

namespace sockflow::ipfix {
namespace {

using Kind = SessionRecord::Kind;
using Counts = std::map<std::string, uint64_t>;

const Layout kLayout = Layout::OfProfile(Profile::kFull, kOwn);

Counts CountsIn(const SessionRecord& record) {
  MessageEncoder encoder({.pen = kLayout.pen()});
  MessageDecoder decoder({});
  const SessionTemplate& description = *kLayout.For(record);
  EXPECT_TRUE(encoder.AddTemplate(description));
  EXPECT_TRUE(encoder.Add(description, record));
  Counts counts;
  const absl::Status decoded = decoder.Decode("a", encoder.Finish(Time{}), [&](const RecordView& view) {
    for (size_t i = 0; i < view.values.size(); ++i) {
      const Element& element = *view.description.fields[i].element;
      if (element.semantics == Semantics::kDeltaCounter || element.semantics == Semantics::kTotalCounter) {
        counts[std::string(element.name)] = *ReadUnsigned(view.values[i]);
      }
    }
  });
  EXPECT_TRUE(decoded.ok()) << decoded;
  return counts;
}

// Random sessions with random updates, most of them far above 4 GiB.
class DeltaTest : public ::testing::Test {
 protected:
  SessionEvent RandomStart() {
    const char* const address = random_() % 2 == 0 ? "192.0.2.1" : "2001:db8::1";
    SessionEvent event{.kind = SessionEvent::Kind::kConnect, .id = ++id_};
    if (random_() % 2 == 0) {
      event.kind = SessionEvent::Kind::kAccept;
      event.direction = Direction::kPassive;
    }
    event.local.address = event.remote.address = *IpAddress::Parse(address);
    event.process = Process{.pid = 1};
    event.attribution = Attribution::kCaller;
    return event;
  }
  void Grow(TcpFacts& facts) {
    for (uint64_t* count : {&facts.octets_sent, &facts.octets_received, &facts.packets_sent,
                            &facts.packets_received}) {
      *count += random_() % 3 == 0 ? 0 : random_() >> (20 + random_() % 40);
    }
    facts.retransmitted_packets += static_cast<uint32_t>(random_() % 100);
  }

  std::mt19937_64 random_{20261122};
  SessionId id_ = 0;
};

TEST_F(DeltaTest, AllRecordsOfASessionAddUp) {
  SessionTable table({});
  for (int round = 0; round < 300; ++round) {
    SessionEvent event = RandomStart();
    event.existing = random_() % 3 == 0;
    if (event.existing) {
      event.kind = SessionEvent::Kind::kExisting;
      Grow(event.tcp);
      event.tcp.tcp_header_octets = 32;
    }
    const TcpFacts before = event.tcp;
    Counts sums, whole, totals;
    const auto emit = [&](Session& session, Kind kind) {
      const Counts counts = CountsIn({kind, session});
      EXPECT_TRUE(kind != Kind::kStart || counts.empty());
      for (const auto& [name, count] : counts) sums[name] += count;
      if (kind == Kind::kEnd) {
        totals = counts;
        whole = CountsIn({kind, session, session.before});
      }
    };
    table.Apply(event, emit);
    event.announced = true;
    for (size_t updates = random_() % 6; updates > 0; --updates) {
      Grow(event.tcp);
      event.tcp.tcp_header_octets = 32;
      event.kind = SessionEvent::Kind::kUpdate;
      table.Apply(event, emit);
    }
    Grow(event.tcp);
    event.kind = SessionEvent::Kind::kClose;
    table.Apply(event, emit);

    const bool active = event.direction == Direction::kActive;
    const uint64_t header = (event.local.address.is_v4() ? 20 : 40) +
                            (event.tcp.tcp_header_octets == 0 ? 20 : event.tcp.tcp_header_octets);
    const auto sent = event.tcp.octets_sent - before.octets_sent;
    const auto received = event.tcp.octets_received - before.octets_received;
    const auto packets_sent = event.tcp.packets_sent - before.packets_sent;
    const auto packets_received = event.tcp.packets_received - before.packets_received;
    EXPECT_EQ(sums["initiatorOctets"], active ? sent : received);
    EXPECT_EQ(sums["responderOctets"], active ? received : sent);
    EXPECT_EQ(sums["initiatorPackets"], active ? packets_sent : packets_received);
    EXPECT_EQ(sums["packetDeltaCount"], sums["initiatorPackets"]);
    EXPECT_EQ(sums["reversePacketDeltaCount"], active ? packets_received : packets_sent);
    EXPECT_EQ(sums["responderPackets"], sums["reversePacketDeltaCount"]);
    EXPECT_EQ(sums["octetDeltaCount"], sums["initiatorOctets"] + sums["initiatorPackets"] * header);
    EXPECT_EQ(sums["reverseOctetDeltaCount"],
              sums["responderOctets"] + sums["responderPackets"] * header);
    const uint64_t again = event.tcp.retransmitted_packets - before.retransmitted_packets;
    EXPECT_EQ(sums["tcpRetransmittedPacketDeltaCount"], again);
    EXPECT_EQ(sums[active ? "RETRANSMITTED_IN_PKTS" : "RETRANSMITTED_OUT_PKTS"], again);
    // Totals count what went before, too.
    EXPECT_EQ(totals["packetTotalCount"],
              active ? event.tcp.packets_sent : event.tcp.packets_received);
    EXPECT_EQ(totals["octetTotalCount"],
              (active ? event.tcp.octets_sent : event.tcp.octets_received) +
                  totals["packetTotalCount"] * header);
    EXPECT_EQ(totals["reversePacketTotalCount"],
              active ? event.tcp.packets_received : event.tcp.packets_sent);
    // Who gets no updates has the same sum in the end.
    for (const auto& [name, count] : whole) {
      if (FindElement(name)->semantics != Semantics::kDeltaCounter) continue;
      EXPECT_EQ(count, sums[name]) << name;
    }
  }
}

// A source that knows less at the end than before.
TEST_F(DeltaTest, NeverCountsDown) {
  Session session;
  session.local.address = session.remote.address = *IpAddress::Parse("192.0.2.1");
  session.reported = {.octets_sent = 10, .packets_sent = 3, .retransmitted_packets = 2};
  for (const auto& [name, count] : CountsIn({Kind::kEnd, session})) EXPECT_EQ(count, 0u) << name;
}

}  // namespace
}  // namespace sockflow::ipfix
