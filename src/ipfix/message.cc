// SPDX-License-Identifier: MIT
#include "sockflow/ipfix/message.h"

#include <chrono>

#include "ipfix/wire.h"

namespace sockflow::ipfix {

uint32_t ObservationDomainOf(std::span<const uint8_t> message) {
  return message.size() < kMessageHeaderOctets ? 0 : Load32(&message[12]);
}

void SequenceNumbers::Stamp(std::span<uint8_t> message, uint32_t records, Time export_time) {
  if (message.size() < kMessageHeaderOctets) return;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(export_time.time_since_epoch());
  uint32_t& next = next_.try_emplace(ObservationDomainOf(message), first_).first->second;
  StoreBigEndian<4>(static_cast<uint64_t>(seconds.count()), &message[4]);
  StoreBigEndian<4>(next, &message[8]);
  next += records;
}

void SequenceNumbers::Unstamp(std::span<const uint8_t> message, uint32_t records) {
  next_.try_emplace(ObservationDomainOf(message), first_).first->second -= records;
}

void SequenceNumbers::Skip(uint32_t domain, uint32_t records) {
  next_.try_emplace(domain, first_).first->second += records;
}

}  // namespace sockflow::ipfix
