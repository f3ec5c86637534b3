// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "sockflow/ip_address.h"

// Packets as they are captured, made from inside to outside.
namespace sockflow::pcap {

using Octets = std::vector<uint8_t>;

inline Octets Join(std::initializer_list<Octets> parts) {
  Octets all;
  for (const Octets& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

inline Octets Big16(uint32_t number) {
  return {static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)};
}
inline Octets Big32(uint32_t number) { return Join({Big16(number >> 16), Big16(number)}); }

struct Tcp {
  uint16_t source = 40000;
  uint16_t destination = 443;
  uint32_t sequence = 0x01020304;
  uint32_t acknowledgment = 0xa1b2c3d4;
  uint8_t flags = 0x12;
  Octets options = {};  // a multiple of 4 octets
  size_t payload = 0;   // octets
};

inline Octets Build(const Tcp& tcp) {
  const auto offset = static_cast<uint8_t>((20 + tcp.options.size()) / 4 << 4);
  return Join({Big16(tcp.source),
               Big16(tcp.destination),
               Big32(tcp.sequence),
               Big32(tcp.acknowledgment),
               {offset, tcp.flags},
               Big16(65535),
               Big32(0),
               tcp.options,
               Octets(tcp.payload, 'x')});
}

inline Octets OctetsOf(const char* address) {
  const IpAddress parsed = *IpAddress::Parse(address);
  return {parsed.octets().begin(), parsed.octets().end()};
}

inline constexpr const char* kSource4 = "192.0.2.1";
inline constexpr const char* kDestination4 = "198.51.100.2";
inline constexpr const char* kSource6 = "2001:db8::1";
inline constexpr const char* kDestination6 = "2001:db8:2::2";

struct Ipv4 {
  uint8_t protocol = 6;
  Octets options = {};  // a multiple of 4 octets
  uint16_t fragment = 0;
};

inline Octets Build(const Ipv4& ip, const Octets& payload) {
  const size_t header = 20 + ip.options.size();
  return Join({{static_cast<uint8_t>(0x40 | header / 4), 0},
               Big16(static_cast<uint32_t>(header + payload.size())),
               Big16(1),
               Big16(ip.fragment),
               {64, ip.protocol},
               Big16(0),
               OctetsOf(kSource4),
               OctetsOf(kDestination4),
               ip.options,
               payload});
}

inline Octets BuildIpv6(const Octets& payload, uint8_t next_header = 6) {
  return Join({Big32(0x60000000),
               Big16(static_cast<uint32_t>(payload.size())),
               {next_header, 64},
               OctetsOf(kSource6),
               OctetsOf(kDestination6),
               payload});
}

// An extension header of IPv6 of this many octets: a multiple of 8.
inline Octets BuildExtension(uint8_t next_header, size_t octets = 8) {
  Octets extension(octets, 0);
  extension[0] = next_header;
  extension[1] = static_cast<uint8_t>(octets / 8 - 1);
  return extension;
}

inline Octets BuildFragmentHeader(uint8_t next_header, uint16_t offset_and_more) {
  return Join({{next_header, 0}, Big16(offset_and_more), Big32(7)});
}

// The authentication header counts in units of four octets (RFC 4302 2.2).
inline Octets BuildAuthentication(uint8_t next_header) {
  Octets extension(24, 0);
  extension[0] = next_header;
  extension[1] = 24 / 4 - 2;
  return extension;
}

inline Octets BuildEthernet(uint16_t type, const Octets& payload) {
  return Join({Octets(6, 0x02), Octets(6, 0x04), Big16(type), payload});
}

inline Octets BuildVlanTag(uint16_t next_type) { return Join({Big16(5), Big16(next_type)}); }

// With the protocol of PPP after it.
inline Octets BuildPppoe(const Octets& payload) {
  return Join({{0x11, 0}, Big16(1), Big16(static_cast<uint32_t>(payload.size())), payload});
}

inline Octets BuildSll(uint16_t type, const Octets& payload) {
  return Join({Big16(4), Big16(1), Big16(6), Octets(8, 0x02), Big16(type), payload});
}

inline Octets BuildSll2(uint16_t type, uint32_t interface, const Octets& payload) {
  return Join(
      {Big16(type), Big16(0), Big32(interface), Big16(1), {4, 6}, Octets(8, 0x02), payload});
}

}  // namespace sockflow::pcap
