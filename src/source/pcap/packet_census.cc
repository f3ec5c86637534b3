// SPDX-License-Identifier: MIT
#include "source/pcap/packet_census.h"

namespace sockflow::pcap {

bool PacketCensus::Read(const CapturedPacket& packet, TcpSegment& segment) {
  if (!IsSupported(packet.link_type)) {
    ++unsupported_;
    return false;
  }
  segment.at = packet.at;
  segment.interface = packet.interface;
  switch (ParsePacket(packet.link_type, packet.octets, segment, packet.length)) {
    case PacketKind::kTcp: return true;
    case PacketKind::kOther: ++others_; break;
    case PacketKind::kLaterFragment: ++later_fragments_; break;
    case PacketKind::kTruncated: ++truncated_; break;
    case PacketKind::kMalformed: ++malformed_; break;
  }
  return false;
}

void PacketCensus::AddTo(SourceStats& stats) const {
  stats.lost.push_back({"truncated_packet", truncated_});
  stats.lost.push_back({"malformed_packet", malformed_});
  stats.lost.push_back({"unsupported_link_type", unsupported_});
  stats.set_aside.push_back({"later_fragment", later_fragments_});
  stats.set_aside.push_back({"not_tcp", others_});
}

}  // namespace sockflow::pcap
