// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "tests/unit/source/packet_builder.h"

// Capture files in both byte orders.
namespace sockflow::pcap {

class CaptureBuilder {
 public:
  explicit CaptureBuilder(std::endian order) : order_(order) {}

  Octets U16(uint32_t number) const { return InOrder(Big16(number)); }
  Octets U32(uint32_t number) const { return InOrder(Big32(number)); }
  Octets U64(uint64_t number) const {
    return InOrder(
        Join({Big32(static_cast<uint32_t>(number >> 32)), Big32(static_cast<uint32_t>(number))}));
  }

  Octets PcapHeader(uint32_t magic, uint32_t link_type, uint16_t minor = 4) const {
    return Join({U32(magic), U16(2), U16(minor), U32(0), U32(0), U32(65535), U32(link_type)});
  }
  // `more`: what the modified variant has behind the header.
  Octets PcapRecord(uint32_t seconds, uint32_t fraction, const Octets& packet, uint32_t length,
                    const Octets& more = {}) const {
    return Join({U32(seconds), U32(fraction), U32(static_cast<uint32_t>(packet.size())),
                 U32(length), more, packet});
  }

  Octets Block(uint32_t type, const Octets& body) const {
    const Octets padded = Pad(body);
    const Octets length = U32(static_cast<uint32_t>(padded.size() + 12));
    return Join({U32(type), length, padded, length});
  }
  Octets Section(uint16_t major = 1) const {
    return Block(0x0a0d0d0a, Join({U32(0x1a2b3c4d), U16(major), U16(0), U64(~uint64_t{0}),
                                   Option(4, {'t', 'e', 's', 't', 's'}), Option(0, {})}));
  }
  Octets Option(uint16_t code, const Octets& value) const {
    return Join({U16(code), U16(static_cast<uint32_t>(value.size())), Pad(value)});
  }
  Octets Interface(uint16_t link_type, uint32_t snaplen = 0, const Octets& options = {}) const {
    return Block(1, Join({U16(link_type), U16(0), U32(snaplen), options}));
  }
  Octets Enhanced(uint32_t interface, uint64_t time, const Octets& packet, uint32_t length) const {
    return Block(6,
                 Join({U32(interface), U32(static_cast<uint32_t>(time >> 32)),
                       U32(static_cast<uint32_t>(time)), U32(static_cast<uint32_t>(packet.size())),
                       U32(length), Pad(packet), Option(1, {'h', 'i'}), Option(0, {})}));
  }
  Octets Obsolete(uint16_t interface, uint64_t time, const Octets& packet, uint32_t length) const {
    return Block(2, Join({U16(interface), U16(9), U32(static_cast<uint32_t>(time >> 32)),
                          U32(static_cast<uint32_t>(time)),
                          U32(static_cast<uint32_t>(packet.size())), U32(length), packet}));
  }
  Octets Simple(const Octets& packet, uint32_t length) const {
    return Block(3, Join({U32(length), packet}));
  }

 private:
  Octets InOrder(Octets big) const {
    if (order_ == std::endian::little) std::reverse(big.begin(), big.end());
    return big;
  }
  static Octets Pad(Octets octets) {
    octets.resize((octets.size() + 3) / 4 * 4);
    return octets;
  }

  std::endian order_;
};

}  // namespace sockflow::pcap
