// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "sockflow/time.h"

namespace sockflow::ipfix {

// A whole message that waits to leave. What depends on when and in which transport session it leaves,
// export time and sequence number, is filled in then (SequenceNumbers::Stamp).
struct Message {
  std::vector<uint8_t> octets;
  uint32_t records = 0;  // data records in it, those of options templates included

  friend bool operator==(const Message&, const Message&) = default;
};

// Of a whole message.
uint32_t ObservationDomainOf(std::span<const uint8_t> message);

// The sequence numbers of one transport session, for each observation domain in it: the number of data
// records sent before, modulo 2^32 (RFC 7011 3.1).
class SequenceNumbers {
 public:
  // `first`: the number of the first message, by the standard 0.
  explicit SequenceNumbers(uint32_t first = 0) : first_(first) {}

  // A new transport session begins.
  void Restart() { next_.clear(); }

  // Completes the header of a message that leaves now, as the next one of its domain.
  void Stamp(std::span<uint8_t> message, uint32_t records, Time export_time);

  // Takes back the last stamp, of this message, which has not left after all.
  void Unstamp(std::span<const uint8_t> message, uint32_t records);

  // Records that were lost before they could leave: the far side sees them missing.
  void Skip(uint32_t domain, uint32_t records);

 private:
  uint32_t first_;
  std::map<uint32_t, uint32_t> next_;  // by domain
};

}  // namespace sockflow::ipfix
