// SPDX-License-Identifier: MIT
// Input: link type in two octets, how much longer the packet was on the wire in two, then the
// packet.
#include <span>
#include <vector>

#include "source/pcap/load.h"
#include "source/pcap/packet_parser.h"
#include "tests/fuzz/fuzz_target.h"

namespace sockflow::pcap {
namespace {

PacketKind Parse(uint32_t link_type, std::span<const uint8_t> octets, size_t length,
                 TcpSegment& segment) {
  // Of exactly this size, so that the address sanitizer sees what is read behind it.
  const std::vector<uint8_t> exact(octets.begin(), octets.end());
  return ParsePacket(link_type, exact, segment, static_cast<uint32_t>(length));
}

void CheckTcp(const TcpSegment& segment) {
  constexpr uint32_t kIpv4Octets = 20, kIpv6Octets = 40;
  const bool has_v6 = !segment.source.address.is_v4() || !segment.destination.address.is_v4();
  Require(segment.ip_octets >= segment.payload_octets + (has_v6 ? kIpv6Octets : kIpv4Octets));
  Require(segment.tcp_header_octets >= 20 && segment.tcp_header_octets <= 60);
  Require(segment.tcp_header_octets % 4 == 0);
  Require(segment.flags < 0x40);
}

void CheckPacket(std::span<const uint8_t> input) {
  constexpr size_t kHeaderOctets = 4;
  if (input.size() < kHeaderOctets) return;
  const uint32_t link_type = Load<uint16_t>(&input[0]);
  const std::span<const uint8_t> packet = input.subspan(kHeaderOctets);
  const size_t length = packet.size() + Load<uint16_t>(&input[2]);

  TcpSegment whole;
  const PacketKind kind = Parse(link_type, packet, length, whole);
  if (kind == PacketKind::kTcp) CheckTcp(whole);
  if (!IsSupported(link_type)) Require(kind == PacketKind::kOther);

  // However few of its octets are captured: the same is said of it, or that there are too few.
  for (size_t size = 0; size < packet.size(); ++size) {
    TcpSegment cut;
    const PacketKind cut_kind = Parse(link_type, packet.first(size), length, cut);
    Require(cut_kind == kind || cut_kind == PacketKind::kTruncated);
    if (cut_kind == PacketKind::kTcp) Require(cut == whole);
  }
}

}  // namespace
}  // namespace sockflow::pcap

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sockflow::pcap::CheckPacket({data, size});
  return 0;
}
