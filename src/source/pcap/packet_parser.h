// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "source/pcap/tcp_segment.h"

namespace sockflow::pcap {

// Link types by their numbers in capture files (https://www.tcpdump.org/linktypes.html). libpcap's
// live handles use others for some (DLT_RAW is 12 on Linux, 14 on OpenBSD), which are taken too.
enum class LinkType : uint32_t {
  kNull = 0,        // BSD loopback: address family in the byte order of the host that captured
  kEthernet = 1,    // with any number of VLAN tags (802.1Q, 802.1ad), PPPoE sessions
  kPpp = 9,         // RFC 1661, with or without address and control octets
  kPppSerial = 50,  // as kPpp, or Cisco's HDLC
  kPppEther = 51,   // PPPoE session
  kRaw = 101,       // an IPv4 or IPv6 packet
  kLoop = 108,      // OpenBSD loopback: as kNull in network byte order
  kLinuxSll = 113,  // Linux "cooked"
  kIpv4 = 228,
  kIpv6 = 229,
  kLinuxSll2 = 276,
};

// Whether the parser reads this link type.
bool IsSupported(uint32_t link_type);

// "Ethernet"; "link type 147" if it is not supported.
std::string LinkTypeName(uint32_t link_type);

// What a packet was found to be.
enum class PacketKind : uint8_t {
  kTcp,            // `segment` is filled in
  kOther,          // no IP, or another protocol in it; tunnels are not looked into
  kLaterFragment,  // of an IP packet that may carry TCP: no TCP header in it
  kTruncated,      // captured, or sent, too short for its headers
  kMalformed,      // headers that contradict themselves
};

// Reads the headers of one packet as captured; never reads beyond `octets`, whatever they say.
// `segment` is meaningful if the result is kTcp, for which the first 14 octets of the TCP header
// are enough; `at` is left as it is, `interface` changed only if the link layer tells it. A link
// type that is not supported is kOther. `length` is that on the wire, if more than was captured: it
// is the IP packet's where the IP header tells none (0: TSO, BIG TCP, jumbograms).
PacketKind ParsePacket(uint32_t link_type, std::span<const uint8_t> octets, TcpSegment& segment,
                       uint32_t length = 0);

}  // namespace sockflow::pcap
