// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "source/pcap/load.h"

namespace sockflow::pcap {

// A packet from one of its layers on: what was captured of it, and how long it was on the wire. A
// reader asks Has() before it loads or skips.
struct PacketView {
  std::span<const uint8_t> octets;
  size_t length = 0;  // in octets; less than octets.size() never

  bool Has(size_t count) const { return octets.size() >= count; }
  uint8_t operator[](size_t at) const { return octets[at]; }
  uint16_t Load16(size_t at) const { return Load<uint16_t>(&octets[at]); }
  uint32_t Load32(size_t at) const { return Load<uint32_t>(&octets[at]); }

  void Skip(size_t count) {
    octets = octets.subspan(count);
    length -= count;
  }
  // Gives it the length that a header tells: what follows is padding.
  void SetLength(size_t told) {
    octets = octets.first(std::min(octets.size(), told));
    length = told;
  }
};

}  // namespace sockflow::pcap
