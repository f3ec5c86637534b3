// SPDX-License-Identifier: MIT
#include "source/pcap/packet_parser.h"

#include "fmt/format.h"
#include "source/pcap/ip_layer.h"
#include "source/pcap/packet_view.h"

namespace sockflow::pcap {
namespace {

PacketKind ParsePpp(PacketView packet, TcpSegment& segment);

// RFC 2516 4: version and type, code, session, length; then PPP.
PacketKind ParsePppoe(PacketView packet, TcpSegment& segment) {
  constexpr size_t kHeaderOctets = 6;
  if (!packet.Has(kHeaderOctets)) return PacketKind::kTruncated;
  packet.Skip(kHeaderOctets);
  return ParsePpp(packet, segment);
}

// From what follows an EtherType.
PacketKind ParseEtherType(uint16_t type, PacketView packet, TcpSegment& segment) {
  constexpr size_t kTagOctets = 4;  // identifier, then the next EtherType
  while (type == 0x8100 || type == 0x88a8 || type == 0x9100) {  // 0x9100: QinQ before 802.1ad
    if (!packet.Has(kTagOctets)) return PacketKind::kTruncated;
    type = packet.Load16(2);
    packet.Skip(kTagOctets);
  }
  switch (type) {
    case 0x0800:
      return ParseIpv4(packet, segment);
    case 0x86dd:
      return ParseIpv6(packet, segment);
    case 0x8864:
      return ParsePppoe(packet, segment);
    default:
      return PacketKind::kOther;
  }
}

PacketKind ParseEthernet(PacketView packet, TcpSegment& segment) {
  constexpr size_t kHeaderOctets = 14;
  if (!packet.Has(kHeaderOctets)) return PacketKind::kTruncated;
  const uint16_t type = packet.Load16(12);
  packet.Skip(kHeaderOctets);
  return ParseEtherType(type, packet, segment);
}

// RFC 1661 2, RFC 1662 3.1. Address and control octets and the first octet of the protocol are left
// out where the peers agreed on that; a protocol's last octet is odd, its first one even.
PacketKind ParsePpp(PacketView packet, TcpSegment& segment) {
  constexpr uint8_t kAllStations = 0xff, kUnnumberedInformation = 0x03;
  if (!packet.Has(1)) return PacketKind::kTruncated;
  if (packet[0] == kAllStations) {
    if (!packet.Has(2)) return PacketKind::kTruncated;
    if (packet[1] == kUnnumberedInformation) packet.Skip(2);
  }
  if (!packet.Has(1)) return PacketKind::kTruncated;
  const size_t octets = packet[0] % 2 == 1 ? 1 : 2;
  if (!packet.Has(octets)) return PacketKind::kTruncated;
  const uint16_t protocol = octets == 1 ? packet[0] : packet.Load16(0);
  packet.Skip(octets);
  switch (protocol) {
    case 0x0021:
      return ParseIpv4(packet, segment);
    case 0x0057:
      return ParseIpv6(packet, segment);
    default:
      return PacketKind::kOther;
  }
}

// PPP, or Cisco's HDLC: address, control, EtherType (RFC 1547 4.3.1).
PacketKind ParsePppSerial(PacketView packet, TcpSegment& segment) {
  constexpr size_t kCiscoOctets = 4;
  constexpr uint8_t kCiscoUnicast = 0x0f, kCiscoMulticast = 0x8f;
  if (!packet.Has(1)) return PacketKind::kTruncated;
  if (packet[0] != kCiscoUnicast && packet[0] != kCiscoMulticast) return ParsePpp(packet, segment);
  if (!packet.Has(kCiscoOctets)) return PacketKind::kTruncated;
  const uint16_t type = packet.Load16(2);
  packet.Skip(kCiscoOctets);
  return ParseEtherType(type, packet, segment);
}

// Address families have small numbers, so the byte order shows.
PacketKind ParseLoopback(PacketView packet, TcpSegment& segment) {
  constexpr size_t kHeaderOctets = 4;
  if (!packet.Has(kHeaderOctets)) return PacketKind::kTruncated;
  uint32_t family = packet.Load32(0);
  if (family > 0xffff) family = Load<uint32_t>(packet.octets.data(), std::endian::little);
  packet.Skip(kHeaderOctets);
  switch (family) {
    case 2:
      return ParseIpv4(packet, segment);
    case 10:  // Linux
    case 23:  // Windows
    case 24:  // NetBSD, OpenBSD
    case 28:  // FreeBSD
    case 30:  // macOS
      return ParseIpv6(packet, segment);
    default:
      return PacketKind::kOther;
  }
}

PacketKind ParseLinuxSll(PacketView packet, TcpSegment& segment) {
  constexpr size_t kHeaderOctets = 16;
  if (!packet.Has(kHeaderOctets)) return PacketKind::kTruncated;
  const uint16_t type = packet.Load16(14);
  packet.Skip(kHeaderOctets);
  return ParseEtherType(type, packet, segment);
}

PacketKind ParseLinuxSll2(PacketView packet, TcpSegment& segment) {
  constexpr size_t kHeaderOctets = 20;
  if (!packet.Has(kHeaderOctets)) return PacketKind::kTruncated;
  const uint16_t type = packet.Load16(0);
  segment.interface = packet.Load32(4);
  packet.Skip(kHeaderOctets);
  return ParseEtherType(type, packet, segment);
}

struct Link {
  uint32_t type;
  std::string_view name;
  PacketKind (*parse)(PacketView, TcpSegment&);
};

constexpr Link Describe(LinkType type, std::string_view name,
                        PacketKind (*parse)(PacketView, TcpSegment&)) {
  return {static_cast<uint32_t>(type), name, parse};
}

// What is captured most comes first.
constexpr Link kLinks[] = {
    Describe(LinkType::kEthernet, "Ethernet", &ParseEthernet),
    Describe(LinkType::kLinuxSll, "Linux cooked", &ParseLinuxSll),
    Describe(LinkType::kLinuxSll2, "Linux cooked v2", &ParseLinuxSll2),
    Describe(LinkType::kRaw, "raw IP", &ParseIp),
    {12, "raw IP", &ParseIp},  // libpcap's DLT_RAW
    {14, "raw IP", &ParseIp},  // the same on OpenBSD
    Describe(LinkType::kIpv4, "raw IPv4", &ParseIpv4),
    Describe(LinkType::kIpv6, "raw IPv6", &ParseIpv6),
    Describe(LinkType::kNull, "BSD loopback", &ParseLoopback),
    Describe(LinkType::kLoop, "OpenBSD loopback", &ParseLoopback),
    Describe(LinkType::kPpp, "PPP", &ParsePpp),
    Describe(LinkType::kPppSerial, "PPP over serial", &ParsePppSerial),
    Describe(LinkType::kPppEther, "PPPoE", &ParsePppoe),
};

const Link* FindLink(uint32_t type) {
  for (const Link& link : kLinks) {
    if (link.type == type) return &link;
  }
  return nullptr;
}

}  // namespace

bool IsSupported(uint32_t link_type) { return FindLink(link_type) != nullptr; }

std::string LinkTypeName(uint32_t link_type) {
  const Link* link = FindLink(link_type);
  return link != nullptr ? std::string(link->name) : fmt::format("link type {}", link_type);
}

PacketKind ParsePacket(uint32_t link_type, std::span<const uint8_t> octets, TcpSegment& segment,
                       uint32_t length) {
  const Link* link = FindLink(link_type);
  if (link == nullptr) return PacketKind::kOther;
  return link->parse({octets, std::max<size_t>(octets.size(), length)}, segment);
}

}  // namespace sockflow::pcap
