// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "sockflow/event_source.h"
#include "source/pcap/capture_file.h"
#include "source/pcap/packet_parser.h"

namespace sockflow::pcap {

// Reads packets, and counts those that are of no use.
class PacketCensus {
 public:
  // Whether it is a TCP segment, which is then in `segment`.
  bool Read(const CapturedPacket& packet, TcpSegment& segment);

  // Adds what is a loss, and what is only no TCP.
  void AddTo(SourceStats& stats) const;

 private:
  uint64_t truncated_ = 0;
  uint64_t malformed_ = 0;
  uint64_t unsupported_ = 0;
  uint64_t later_fragments_ = 0;
  uint64_t others_ = 0;
};

}  // namespace sockflow::pcap
