// SPDX-License-Identifier: MIT
#include "source/pcap/ip_layer.h"

namespace sockflow::pcap {
namespace {

// Assigned Internet Protocol Numbers.
constexpr uint8_t kHopByHop = 0, kTcp = 6, kRouting = 43, kFragment = 44, kAuthentication = 51,
                  kDestinationOptions = 60, kMobility = 135, kHip = 139, kShim6 = 140;

constexpr size_t kIpv4Octets = 20, kIpv6Octets = 40, kFragmentOctets = 8, kTcpOctets = 20;
constexpr size_t kUpToTcpFlags = 14;
constexpr uint16_t kMoreFragments4 = 0x2000, kFragmentOffset4 = 0x1fff;  // RFC 791 3.1
constexpr uint16_t kMoreFragments6 = 0x0001, kFragmentOffset6 = 0xfff8;  // RFC 8200 4.5

// What is carried in an IP packet. Of a packet in fragments, what its first one carries.
struct IpPayload {
  PacketView view;
  bool is_first_fragment = false;

  // Why there are fewer octets: the rest is in another fragment, was not captured, or never was.
  PacketKind WhyNot(size_t count) const {
    return view.length < count && !is_first_fragment ? PacketKind::kMalformed
                                                     : PacketKind::kTruncated;
  }
};

PacketKind ParseTcp(const IpPayload& payload, TcpSegment& segment) {
  const PacketView& tcp = payload.view;
  if (tcp.length < kTcpOctets && !payload.is_first_fragment) return PacketKind::kMalformed;
  if (!tcp.Has(kUpToTcpFlags)) return PacketKind::kTruncated;
  const size_t header = size_t{4} * (tcp[12] >> 4);
  if (header < kTcpOctets) return PacketKind::kMalformed;
  if (header > tcp.length && !payload.is_first_fragment) return PacketKind::kMalformed;
  segment.source.port = tcp.Load16(0);
  segment.destination.port = tcp.Load16(2);
  segment.sequence = tcp.Load32(4);
  segment.acknowledgment = tcp.Load32(8);
  segment.tcp_header_octets = static_cast<uint8_t>(header);
  segment.flags = tcp[13] & 0x3f;
  segment.payload_octets = static_cast<uint32_t>(tcp.length - std::min(tcp.length, header));
  return PacketKind::kTcp;
}

// The octets of an extension header whose first two are there (RFC 8200 4, RFC 4302 2.2, RFC 6275
// 6.1.1, RFC 7401 5.1, RFC 5533 5.1); 0: this protocol is none.
size_t ExtensionOctets(uint8_t protocol, uint8_t length) {
  switch (protocol) {
    case kHopByHop:
    case kRouting:
    case kDestinationOptions:
    case kMobility:
    case kHip:
    case kShim6:
      return size_t{8} * (length + 1);
    case kFragment:
      return kFragmentOctets;
    case kAuthentication:
      return size_t{4} * (length + 2);
    default:
      return 0;
  }
}

bool MayLeadToTcp(uint8_t protocol) {
  return protocol == kTcp || ExtensionOctets(protocol, 0) != 0;
}

// Walks from header to header. `protocol` is that of the first one.
PacketKind ParsePayload(uint8_t protocol, IpPayload payload, TcpSegment& segment) {
  PacketView& view = payload.view;
  while (protocol != kTcp) {
    if (!MayLeadToTcp(protocol)) return PacketKind::kOther;
    if (!view.Has(2)) return payload.WhyNot(2);
    const uint8_t next = view[0];
    const size_t octets = ExtensionOctets(protocol, view[1]);
    if (protocol == kFragment) {
      if (!view.Has(kFragmentOctets)) return payload.WhyNot(kFragmentOctets);
      const uint16_t fragment = view.Load16(2);
      if ((fragment & kFragmentOffset6) != 0) {
        return MayLeadToTcp(next) ? PacketKind::kLaterFragment : PacketKind::kOther;
      }
      payload.is_first_fragment = (fragment & kMoreFragments6) != 0;
    }
    if (!view.Has(octets)) return payload.WhyNot(octets);
    view.Skip(octets);
    protocol = next;
  }
  return ParseTcp(payload, segment);
}

}  // namespace

PacketKind ParseIpv4(PacketView packet, TcpSegment& segment) {
  if (!packet.Has(kIpv4Octets)) return PacketKind::kTruncated;
  const size_t header = size_t{4} * (packet[0] & 0xf);
  // 0 where the network card divides the packet later (TSO), and above 65,535 octets (BIG TCP).
  const size_t total = packet.Load16(2) != 0 ? packet.Load16(2) : packet.length;
  if (packet[0] >> 4 != 4 || header < kIpv4Octets || total < header) return PacketKind::kMalformed;
  const uint8_t protocol = packet[9];
  if (protocol != kTcp && protocol != kAuthentication) return PacketKind::kOther;
  const uint16_t fragment = packet.Load16(6);
  if ((fragment & kFragmentOffset4) != 0) return PacketKind::kLaterFragment;
  if (!packet.Has(header)) return PacketKind::kTruncated;
  segment.source.address = IpAddress::V4(packet.octets.subspan<12, 4>());
  segment.destination.address = IpAddress::V4(packet.octets.subspan<16, 4>());
  segment.ip_octets = static_cast<uint32_t>(total);
  packet.SetLength(total);
  packet.Skip(header);
  return ParsePayload(
      protocol, {.view = packet, .is_first_fragment = (fragment & kMoreFragments4) != 0}, segment);
}

PacketKind ParseIpv6(PacketView packet, TcpSegment& segment) {
  if (!packet.Has(kIpv6Octets)) return PacketKind::kTruncated;
  if (packet[0] >> 4 != 6) return PacketKind::kMalformed;
  // 0 with TSO, and above 65,535 octets, where an option repeats the length (RFC 2675 3) or none.
  const size_t told = packet.Load16(4);
  const size_t total = told != 0 ? kIpv6Octets + told : packet.length;
  segment.source.address = IpAddress::V6(packet.octets.subspan<8, 16>());
  segment.destination.address = IpAddress::V6(packet.octets.subspan<24, 16>());
  segment.ip_octets = static_cast<uint32_t>(total);
  const uint8_t protocol = packet[6];
  packet.SetLength(total);
  packet.Skip(kIpv6Octets);
  return ParsePayload(protocol, {.view = packet}, segment);
}

PacketKind ParseIp(PacketView packet, TcpSegment& segment) {
  if (!packet.Has(1)) return PacketKind::kTruncated;
  switch (packet[0] >> 4) {
    case 4:
      return ParseIpv4(packet, segment);
    case 6:
      return ParseIpv6(packet, segment);
    default:
      return PacketKind::kMalformed;
  }
}

}  // namespace sockflow::pcap
