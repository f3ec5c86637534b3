// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sockflow/ipfix/message.h"

// How a file of the spool is laid out. Numbers are big-endian, sizes in octets.
//
//   header   8 magic "SFSPOOL\n" | 4 version | 4 CRC-32 of these
//   position 4 offset of the first entry that was not consumed | 4 CRC-32 of that
//   tally    4 messages | 4 records of the data written so far | 4 CRC-32 of these
//   entries  4 mark | 4 length | 4 records | 4 preamble | 4 CRC-32 of these |
//            4 CRC-32 of the message | the message
//
// The entries of the preamble come first, with a mark of their own. The preamble field is the
// CRC-32 of all messages of the preamble before the entry: it tells whether data still has what it
// needs.
namespace sockflow::delivery {

// The messages, templates and options, that the data of a segment needs.
using Preamble = std::vector<ipfix::Message>;

inline constexpr uint32_t kFirstEntry = 36;  // offset
inline constexpr uint32_t kPositionAt = 16;
inline constexpr uint32_t kTallyAt = 24;
inline constexpr size_t kEntryHeaderOctets = 24;
inline constexpr size_t kLargestMessage = 65535;  // RFC 7011 3.1

// What was found that is not whole. It is skipped.
struct Damage {
  uint64_t entries = 0;  // messages lost; at least so many where their number cannot be known
  uint64_t records = 0;  // in them, as far as known
  uint64_t octets = 0;   // of files, that could not be used

  bool any() const { return entries != 0 || octets != 0; }
  Damage& operator+=(const Damage& other);
};

// How much data was written to a file: tells what a crash has cut off its end.
struct Tally {
  uint32_t messages = 0;
  uint32_t records = 0;
};

// Where a message lies in its file.
struct Entry {
  uint32_t offset;  // of its header
  uint32_t length;  // of the message
  uint32_t records;

  uint32_t end() const { return offset + static_cast<uint32_t>(kEntryHeaderOctets) + length; }
};

// What a segment file holds.
struct SegmentContents {
  std::shared_ptr<const Preamble> preamble;
  std::vector<Entry> entries;  // of data, not consumed yet
  Damage damage;               // of what was not consumed yet
};

// The begin of a segment file.
std::vector<uint8_t> EncodeSegmentHead(const Preamble& preamble, const Tally& tally = {});
// A position field, a tally field.
std::vector<uint8_t> EncodePosition(uint32_t offset);
std::vector<uint8_t> EncodeTally(const Tally& tally);
// A message with its entry header, as data that needs the preamble of this CRC.
std::vector<uint8_t> EncodeEntry(const ipfix::Message& message, uint32_t preamble_crc);
uint32_t CrcOf(const Preamble& preamble);

// Finds all that is whole in a segment file. kFailedPrecondition: another version of the program
// wrote it.
absl::StatusOr<SegmentContents> ParseSegment(std::span<const uint8_t> file);

// Takes the message out of an entry as it was read again; false: it is damaged by now.
bool DecodeEntry(std::span<const uint8_t> octets, const Entry& entry, ipfix::Message& message);

}  // namespace sockflow::delivery
