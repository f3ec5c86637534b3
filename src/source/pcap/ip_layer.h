// SPDX-License-Identifier: MIT
#pragma once

#include "source/pcap/packet_parser.h"
#include "source/pcap/packet_view.h"
#include "source/pcap/tcp_segment.h"

namespace sockflow::pcap {

// Each reads a packet from its IP header on, and the TCP header in it. Results as of ParsePacket.
PacketKind ParseIpv4(PacketView packet, TcpSegment& segment);
PacketKind ParseIpv6(PacketView packet, TcpSegment& segment);
// By the version in the first octet.
PacketKind ParseIp(PacketView packet, TcpSegment& segment);

}  // namespace sockflow::pcap
