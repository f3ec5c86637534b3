// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sockflow/ipfix/template.h"
#include "sockflow/time.h"

namespace sockflow::ipfix {

// Builds the IPFIX messages (RFC 7011 3) of one transport session and one observation domain, in
// memory. Owns the sequence number; knows no socket and no clock.
class MessageEncoder {
 public:
  struct Options {
    uint32_t observation_domain = 0;
    // Upper bound of a message, header included; 512..65535.
    size_t max_message_octets = 1400;
    // Records that a message may hold; 0: as many as fit.
    size_t max_records = 0;
    // Sequence number of the first message.
    uint32_t first_sequence = 0;
    // The private enterprise number of elements of our own: that of the layout (Layout::pen). 0 only
    // with templates that have none of them.
    uint32_t pen = 0;
  };

  explicit MessageEncoder(Options options);

  // Adds the template record. False if the message is full: call Finish, send, add again. None of
  // our templates is too long for an empty message.
  [[nodiscard]] bool AddTemplate(const Template& description);

  // Adds a data record. False if the message is full: call Finish, send, add again. A record too
  // long for an empty message cannot occur: strings are cut when written (see Writer).
  template <typename Record>
  [[nodiscard]] bool Add(const TemplateOf<Record>& description, const Record& record) {
    return AddRecord(description, &record);
  }

  // The same for the very record that Add has just turned away, unchanged, after Finish: what was
  // written of it then is not written once more, which where a message holds one or two records is a
  // third to a half of all writing.
  template <typename Record>
  [[nodiscard]] bool AddAgain(const TemplateOf<Record>& description, const Record& record) {
    return turned_away_.empty() ? AddRecord(description, &record) : AddTurnedAway(description);
  }

  // Nothing added since the last Finish.
  bool empty() const;
  // Data records added since the last Finish.
  size_t records() const;
  // The sequence number that the message under construction will carry: the number of data
  // records in all messages before it, modulo 2^32 (RFC 7011 3.1).
  uint32_t sequence() const;

  // Completes the message: pads its sets, fills in the header. The octets stay valid until the next
  // Add or AddTemplate. Empty span if nothing was added. Export time has a resolution of seconds.
  std::span<const uint8_t> Finish(Time export_time);

 private:
  bool AddRecord(const Template& description, const void* record);
  bool AddTurnedAway(const Template& description);
  // What has been written behind the message, and `overhead`, becomes part of it.
  void Take(const Template& description, size_t overhead, size_t octets);
  bool Fits(size_t octets) const;
  // Octets that close the open set.
  size_t Padding() const;
  // Octets before the next record: 0 if the open set goes on.
  size_t Overhead(uint16_t set_id) const;
  void OpenSet(uint16_t set_id, size_t smallest_record);
  void CloseSet();

  Options options_;
  // The message is built in place; a record that turns out too long is written past the limit into
  // slack and then forgotten, which is cheaper than to measure every record first.
  std::vector<uint8_t> buffer_;
  std::vector<uint8_t> turned_away_;  // the record that was written and did not fit; empty: none
  size_t limit_;
  size_t end_;            // of what is in the message
  size_t set_begin_ = 0;  // of the open set; 0 if none is open
  uint16_t set_id_ = 0;
  size_t smallest_record_ = 0;  // that the open set could hold
  size_t records_ = 0;
  uint32_t sequence_;
};

}  // namespace sockflow::ipfix
