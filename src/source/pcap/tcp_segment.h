// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>

#include "sockflow/ip_address.h"
#include "sockflow/time.h"

namespace sockflow::pcap {

// TCP control bits (RFC 9293 3.1).
inline constexpr uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;

// What the headers of one TCP segment tell.
struct TcpSegment {
  Time at{};  // when it was captured
  Endpoint source;
  Endpoint destination;
  uint32_t sequence = 0;
  uint32_t acknowledgment = 0;  // meaningful with kAck
  uint8_t flags = 0;            // FIN, SYN, RST, PSH, ACK, URG in the lower six bits
  uint8_t tcp_header_octets = 0;
  // Both by the IP header, whatever was captured; of a packet in fragments, of the first one.
  uint32_t ip_octets = 0;       // of the whole IP packet
  uint32_t payload_octets = 0;  // of TCP
  // Where it was seen: an interface index, where the link layer tells one (LINUX_SLL2) or each
  // interface is captured by itself; 0: not known. A packet may pass several interfaces of a host.
  uint32_t interface = 0;

  friend bool operator==(const TcpSegment&, const TcpSegment&) = default;
};

}  // namespace sockflow::pcap
