// SPDX-License-Identifier: MIT
#include "source/pcap/packet_parser.h"

#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/source/packet_builder.h"

namespace sockflow::pcap {
namespace {

constexpr uint32_t kRaw = static_cast<uint32_t>(LinkType::kRaw);
constexpr uint32_t kEthernet = static_cast<uint32_t>(LinkType::kEthernet);

std::pair<PacketKind, TcpSegment> Parse(uint32_t link_type, const Octets& octets,
                                        uint32_t length = 0) {
  // Of exactly this size, so that the address sanitizer sees what is read behind it.
  const Octets exact(octets.begin(), octets.end());
  TcpSegment segment;
  const PacketKind kind = ParsePacket(link_type, exact, segment, length);
  return {kind, segment};
}

PacketKind Kind(uint32_t link_type, const Octets& octets, uint32_t length = 0) {
  return Parse(link_type, octets, length).first;
}

struct Case {
  const char* name;
  uint32_t link_type;
  Octets octets;
  size_t tcp_at = 0;  // octets before the TCP header
  bool is_v4 = true;
  uint32_t ip_octets = 0;
  uint32_t interface = 0;
};

void PrintTo(const Case& test, std::ostream* out) { *out << test.name; }

const Tcp kTcp = {.options = {2, 4, 5, 0xb4}, .payload = 5};
constexpr size_t kTcpHeader = 24;

std::vector<Case> Cases() {
  const Octets tcp = Build(kTcp);
  const Octets v4 = Build(Ipv4{}, tcp);
  const Octets v6 = BuildIpv6(tcp);
  std::vector<Case> cases;
  const auto add = [&](const char* name, uint32_t link_type, const Octets& before, bool is_v4,
                       uint32_t interface = 0) {
    const Octets& ip = is_v4 ? v4 : v6;
    cases.push_back({name, link_type, Join({before, ip}), before.size() + (is_v4 ? 20 : 40), is_v4,
                     static_cast<uint32_t>(ip.size()), interface});
  };
  add("Ethernet4", 1, BuildEthernet(0x0800, {}), true);
  add("Ethernet6", 1, BuildEthernet(0x86dd, {}), false);
  add("Vlan", 1, BuildEthernet(0x8100, BuildVlanTag(0x0800)), true);
  add("ProviderVlan", 1, BuildEthernet(0x88a8, Join({BuildVlanTag(0x8100), BuildVlanTag(0x86dd)})),
      false);
  add("QinQ", 1, BuildEthernet(0x9100, Join({BuildVlanTag(0x9100), BuildVlanTag(0x0800)})), true);
  Octets tags;
  for (int i = 0; i < 20; ++i) tags = Join({tags, BuildVlanTag(0x8100)});
  add("ManyVlans", 1, BuildEthernet(0x8100, Join({tags, BuildVlanTag(0x0800)})), true);
  add("PppoeInEthernet", 1, BuildEthernet(0x8864, BuildPppoe({0x00, 0x21})), true);
  add("NullLittle", 0, {2, 0, 0, 0}, true);
  add("NullBig", 0, {0, 0, 0, 2}, true);
  add("NullLinux6", 0, {10, 0, 0, 0}, false);
  add("NullWindows6", 0, {23, 0, 0, 0}, false);
  add("NullOpenBsd6", 0, {0, 0, 0, 24}, false);
  add("NullFreeBsd6", 0, {28, 0, 0, 0}, false);
  add("NullMac6", 0, {30, 0, 0, 0}, false);
  add("Loop4", 108, {0, 0, 0, 2}, true);
  add("Loop6", 108, {0, 0, 0, 24}, false);
  add("Raw4", 101, {}, true);
  add("Raw6", 101, {}, false);
  add("DltRaw", 12, {}, true);
  add("DltRawOpenBsd", 14, {}, false);
  add("Ipv4", 228, {}, true);
  add("Ipv6", 229, {}, false);
  add("Sll4", 113, BuildSll(0x0800, {}), true);
  add("Sll6", 113, BuildSll(0x86dd, {}), false);
  add("SllVlan", 113, BuildSll(0x8100, BuildVlanTag(0x86dd)), false);
  add("Sll2Of4", 276, BuildSll2(0x0800, 77, {}), true, 77);
  add("Sll2Of6", 276, BuildSll2(0x86dd, 0x01020304, {}), false, 0x01020304);
  add("Ppp4", 9, {0xff, 0x03, 0x00, 0x21}, true);
  add("Ppp6", 9, {0xff, 0x03, 0x00, 0x57}, false);
  add("PppWithoutAddress", 9, {0x00, 0x21}, true);
  add("PppOneOctetProtocol", 9, {0x21}, true);
  add("PppAddressOneOctetProtocol", 9, {0xff, 0x03, 0x57}, false);
  add("PppSerial", 50, {0xff, 0x03, 0x00, 0x21}, true);
  add("CiscoUnicast", 50, {0x0f, 0x00, 0x08, 0x00}, true);
  add("CiscoMulticast", 50, {0x8f, 0x00, 0x86, 0xdd}, false);
  add("PppEther", 51, BuildPppoe({0x00, 0x57}), false);

  const auto add_raw = [&](const char* name, const Octets& ip, bool is_v4) {
    cases.push_back(
        {name, kRaw, ip, ip.size() - tcp.size(), is_v4, static_cast<uint32_t>(ip.size())});
  };
  add_raw("Ipv4Options", Build(Ipv4{.options = Octets(40, 1)}, tcp), true);
  add_raw("Ipv4DoNotFragment", Build(Ipv4{.fragment = 0x4000}, tcp), true);
  add_raw("Ipv4FirstFragment", Build(Ipv4{.fragment = 0x2000}, tcp), true);
  add_raw("Ipv4Authentication", Build(Ipv4{.protocol = 51}, Join({BuildAuthentication(6), tcp})),
          true);
  for (const uint8_t header : {0, 43, 60, 135, 139, 140}) {
    add_raw("Ipv6Extension", BuildIpv6(Join({BuildExtension(6, 24), tcp}), header), false);
  }
  add_raw("Ipv6Authentication", BuildIpv6(Join({BuildAuthentication(6), tcp}), 51), false);
  add_raw("Ipv6FirstFragment", BuildIpv6(Join({BuildFragmentHeader(6, 1), tcp}), 44), false);
  add_raw("Ipv6AtomicFragment", BuildIpv6(Join({BuildFragmentHeader(6, 0), tcp}), 44), false);
  add_raw(
      "Ipv6AllExtensions",
      BuildIpv6(Join({BuildExtension(60), BuildExtension(43, 16), BuildExtension(44),
                      BuildFragmentHeader(51, 1), BuildAuthentication(60), BuildExtension(6), tcp}),
                0),
      false);
  return cases;
}

class EachPacketTest : public testing::TestWithParam<Case> {};

TEST_P(EachPacketTest, TellsAllFields) {
  const Case& test = GetParam();
  ASSERT_TRUE(IsSupported(test.link_type));
  const TcpSegment expected = {
      .source = {*IpAddress::Parse(test.is_v4 ? kSource4 : kSource6), kTcp.source},
      .destination = {*IpAddress::Parse(test.is_v4 ? kDestination4 : kDestination6),
                      kTcp.destination},
      .sequence = kTcp.sequence,
      .acknowledgment = kTcp.acknowledgment,
      .flags = kTcp.flags,
      .tcp_header_octets = kTcpHeader,
      .ip_octets = test.ip_octets,
      .payload_octets = static_cast<uint32_t>(kTcp.payload),
      .interface = test.interface};
  const auto [kind, segment] = Parse(test.link_type, test.octets);
  ASSERT_EQ(kind, PacketKind::kTcp);
  EXPECT_EQ(segment, expected) << ToString(segment.source) << " " << segment.ip_octets;
}

// The first 14 octets of the TCP header are enough, wherever the rest was cut off.
TEST_P(EachPacketTest, CutAtEveryOctet) {
  const Case& test = GetParam();
  const TcpSegment whole = Parse(test.link_type, test.octets).second;
  for (size_t size = 0; size < test.octets.size(); ++size) {
    SCOPED_TRACE(size);
    const auto [kind, segment] =
        Parse(test.link_type, Octets(test.octets.begin(), test.octets.begin() + size),
              test.octets.size());
    ASSERT_EQ(kind, size < test.tcp_at + 14 ? PacketKind::kTruncated : PacketKind::kTcp);
    if (kind == PacketKind::kTcp) {
      ASSERT_EQ(segment, whole);
    }
  }
}

// Ethernet frames have at least 60 octets.
TEST_P(EachPacketTest, PaddingIsNoPayload) {
  const Case& test = GetParam();
  EXPECT_EQ(Parse(test.link_type, Join({test.octets, Octets(30, 0)})),
            Parse(test.link_type, test.octets));
}

INSTANTIATE_TEST_SUITE_P(All, EachPacketTest, testing::ValuesIn(Cases()), [](const auto& test) {
  return test.param.name + std::to_string(test.index);
});

TEST(PacketParserTest, LeavesTimeAndInterfaceAlone) {
  TcpSegment segment = {.at = Time(std::chrono::seconds(5)), .interface = 3};
  EXPECT_EQ(ParsePacket(kRaw, Build(Ipv4{}, Build(kTcp)), segment), PacketKind::kTcp);
  EXPECT_EQ(segment.at, Time(std::chrono::seconds(5)));
  EXPECT_EQ(segment.interface, 3u);
}

TEST(PacketParserTest, SixFlags) {
  EXPECT_EQ(Parse(kRaw, Build(Ipv4{}, Build(Tcp{.flags = 0xff}))).second.flags, 0x3f);
}

TEST(PacketParserTest, MappedAddressesAreIpv4) {
  Octets packet = BuildIpv6(Build(kTcp));
  const Octets mapped = Join({Octets(10, 0), {0xff, 0xff, 192, 0, 2, 7}});
  std::copy(mapped.begin(), mapped.end(), packet.begin() + 8);
  EXPECT_EQ(Parse(kRaw, packet).second.source.address, *IpAddress::Parse("192.0.2.7"));
}

TEST(PacketParserTest, UnknownLinkType) {
  EXPECT_FALSE(IsSupported(147));
  EXPECT_EQ(LinkTypeName(147), "link type 147");
  EXPECT_EQ(LinkTypeName(kEthernet), "Ethernet");
  EXPECT_EQ(Kind(147, Build(Ipv4{}, Build(kTcp))), PacketKind::kOther);
}

TEST(PacketParserTest, OtherProtocols) {
  const Octets tcp = Build(kTcp);
  EXPECT_EQ(Kind(kEthernet, BuildEthernet(0x0806, Octets(46, 0))), PacketKind::kOther);  // ARP
  EXPECT_EQ(Kind(kEthernet, BuildEthernet(0x8100, BuildVlanTag(0x0806))), PacketKind::kOther);
  EXPECT_EQ(Kind(kEthernet, BuildEthernet(60, Octets(60, 0))), PacketKind::kOther);  // 802.3
  EXPECT_EQ(Kind(kRaw, Build(Ipv4{.protocol = 17}, tcp)), PacketKind::kOther);
  EXPECT_EQ(Kind(kRaw, Build(Ipv4{.protocol = 17, .fragment = 100}, tcp)), PacketKind::kOther);
  EXPECT_EQ(Kind(kRaw, BuildIpv6(tcp, 17)), PacketKind::kOther);
  EXPECT_EQ(Kind(kRaw, BuildIpv6(tcp, 50)), PacketKind::kOther);  // encrypted
  EXPECT_EQ(Kind(kRaw, BuildIpv6({}, 59)), PacketKind::kOther);   // no next header
  EXPECT_EQ(Kind(kRaw, BuildIpv6(Join({BuildExtension(58), tcp}), 0)), PacketKind::kOther);
  EXPECT_EQ(Kind(0, Join({{7, 0, 0, 0}, tcp})), PacketKind::kOther);
  EXPECT_EQ(Kind(9, {0xff, 0x03, 0xc0, 0x21, 1}), PacketKind::kOther);   // LCP
  EXPECT_EQ(Kind(50, {0x8f, 0x00, 0x80, 0x35, 1}), PacketKind::kOther);  // Cisco SLARP
}

TEST(PacketParserTest, LaterFragments) {
  const Octets tcp = Build(kTcp);
  EXPECT_EQ(Kind(kRaw, Build(Ipv4{.fragment = 1}, tcp)), PacketKind::kLaterFragment);
  EXPECT_EQ(Kind(kRaw, Build(Ipv4{.fragment = 0x2001}, tcp)), PacketKind::kLaterFragment);
  EXPECT_EQ(Kind(kRaw, Build(Ipv4{.protocol = 51, .fragment = 1}, tcp)),
            PacketKind::kLaterFragment);
  const auto fragment = [&](uint8_t next, uint16_t offset) {
    return BuildIpv6(Join({BuildFragmentHeader(next, offset), tcp}), 44);
  };
  EXPECT_EQ(Kind(kRaw, fragment(6, 8)), PacketKind::kLaterFragment);
  EXPECT_EQ(Kind(kRaw, fragment(6, 9)), PacketKind::kLaterFragment);
  EXPECT_EQ(Kind(kRaw, fragment(60, 8)), PacketKind::kLaterFragment);
  EXPECT_EQ(Kind(kRaw, fragment(17, 8)), PacketKind::kOther);
}

// RFC 1858: a first fragment may be too small for its TCP header, which is no contradiction.
TEST(PacketParserTest, TinyFirstFragment) {
  Octets tcp = Build(kTcp);
  tcp.resize(16);
  const auto [kind, segment] = Parse(kRaw, Build(Ipv4{.fragment = 0x2000}, tcp));
  EXPECT_EQ(kind, PacketKind::kTcp);
  EXPECT_EQ(segment.payload_octets, 0u);
  EXPECT_EQ(Kind(kRaw, Build(Ipv4{}, tcp)), PacketKind::kMalformed);
  EXPECT_EQ(Kind(kRaw, BuildIpv6(Join({BuildFragmentHeader(6, 1), tcp}), 44)), PacketKind::kTcp);
  tcp.resize(8);
  EXPECT_EQ(Kind(kRaw, Build(Ipv4{.fragment = 0x2000}, tcp)), PacketKind::kTruncated);
  EXPECT_EQ(Kind(kRaw, BuildIpv6(Join({BuildFragmentHeader(60, 1), {6, 9, 0, 0, 0, 0, 0, 0}}), 44)),
            PacketKind::kTruncated);
}

// Octets after the end of the IP packet are padding, even if they would make a TCP header.
TEST(PacketParserTest, HeadersEndWithTheIpPacket) {
  Octets v4 = Build(Ipv4{}, Build(kTcp));
  v4[3] = 20 + 10;
  EXPECT_EQ(Kind(kRaw, v4), PacketKind::kMalformed);
  v4[3] = 20 + kTcpHeader - 1;
  EXPECT_EQ(Kind(kRaw, v4), PacketKind::kMalformed);
  v4[3] = 20 + kTcpHeader;
  EXPECT_EQ(Parse(kRaw, v4).second.payload_octets, 0u);
  v4[3] = 19;
  EXPECT_EQ(Kind(kRaw, v4), PacketKind::kMalformed);
  Octets v6 = BuildIpv6(Join({BuildExtension(6), Build(kTcp)}), 0);
  v6[5] = 7;
  EXPECT_EQ(Kind(kRaw, v6), PacketKind::kMalformed);
  v6[5] = 1;
  EXPECT_EQ(Kind(kRaw, v6), PacketKind::kMalformed);
}

TEST(PacketParserTest, Contradictions) {
  Octets packet = Build(Ipv4{}, Build(kTcp));
  packet[0] = 0x44;  // a header of 16 octets
  EXPECT_EQ(Kind(kRaw, packet), PacketKind::kMalformed);
  packet[0] = 0x55;
  EXPECT_EQ(Kind(kRaw, packet), PacketKind::kMalformed);
  EXPECT_EQ(Kind(kEthernet, BuildEthernet(0x0800, BuildIpv6(Build(kTcp)))), PacketKind::kMalformed);
  EXPECT_EQ(Kind(kEthernet, BuildEthernet(0x86dd, Build(Ipv4{}, Build(Tcp{.payload = 40})))),
            PacketKind::kMalformed);
  Octets tcp = Build(kTcp);
  tcp[12] = 0x40;
  EXPECT_EQ(Kind(kRaw, Build(Ipv4{}, tcp)), PacketKind::kMalformed);
  tcp[12] = 0xf0;  // 60 octets of 29
  EXPECT_EQ(Kind(kRaw, Build(Ipv4{}, tcp)), PacketKind::kMalformed);
}

// The IP header tells no length where the network card divides the packet later, or above 65,535.
TEST(PacketParserTest, LengthOfTheLinkLayer) {
  Octets v4 = Build(Ipv4{}, Build(kTcp));
  v4[2] = v4[3] = 0;
  EXPECT_EQ(Parse(kRaw, v4), Parse(kRaw, Build(Ipv4{}, Build(kTcp))));
  const TcpSegment big4 =
      Parse(kEthernet, BuildEthernet(0x0800, v4), 14 + 20 + kTcpHeader + 100'000).second;
  EXPECT_EQ(big4.ip_octets, 20 + kTcpHeader + 100'000);
  EXPECT_EQ(big4.payload_octets, 100'000u);
  Octets v6 = BuildIpv6(Build(kTcp));
  v6[4] = v6[5] = 0;
  EXPECT_EQ(Parse(kRaw, v6), Parse(kRaw, BuildIpv6(Build(kTcp))));
  EXPECT_EQ(Parse(kRaw, v6, 40 + kTcpHeader + 100'000).second.payload_octets, 100'000u);
  // A jumbogram: option 194 of the hop-by-hop header tells the length again.
  Octets jumbo =
      BuildIpv6(Join({{6, 0, 0xc2, 4}, Big32(8 + kTcpHeader + 100'000), Build(kTcp)}), 0);
  jumbo[4] = jumbo[5] = 0;
  EXPECT_EQ(Parse(kRaw, jumbo, 40 + 8 + kTcpHeader + 100'000).second.payload_octets, 100'000u);
}

TEST(PacketParserTest, LengthOfTheIpHeaderWins) {
  const Octets packet = Build(Ipv4{}, Build(kTcp));
  EXPECT_EQ(Parse(kRaw, packet, 5000), Parse(kRaw, packet));
}

}  // namespace
}  // namespace sockflow::pcap
