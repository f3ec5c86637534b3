// SPDX-License-Identifier: MIT
#include "sockflow/ipfix/message_encoder.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "ipfix/wire.h"
#include "ipfix/writer.h"

namespace sockflow::ipfix {
namespace {

constexpr size_t kMinMaxMessageOctets = 512;
constexpr size_t kAlignment = 4;
// The length of a string takes one octet or three.
constexpr size_t kLongestLengthOctets = 3;

size_t HeaderOctets(const Template& description) {
  return description.scope_fields > 0 ? kOptionsTemplateHeaderOctets : kTemplateHeaderOctets;
}

void PutTemplate(const Template& description, uint32_t own_pen, uint8_t* at) {
  StoreBigEndian<2>(description.id, at);
  StoreBigEndian<2>(description.fields.size(), at + 2);
  if (description.scope_fields > 0) StoreBigEndian<2>(description.scope_fields, at + 4);
  at += HeaderOctets(description);
  for (const Field& field : description.fields) {
    const uint32_t pen = field.element->pen;
    StoreBigEndian<2>(field.element->id | (pen != kIana ? kEnterpriseBit : 0), at);
    StoreBigEndian<2>(field.length, at + 2);
    at += 4;
    if (pen != kIana) {
      StoreBigEndian<4>(pen == kOwn ? own_pen : pen, at);
      at += 4;
    }
  }
}

size_t TemplateOctets(const Template& description) {
  size_t octets = HeaderOctets(description);
  for (const Field& field : description.fields) octets += field.element->pen == kIana ? 4 : 8;
  return octets;
}

}  // namespace

// The limit is a multiple of four: what fits without its padding then fits with it.
MessageEncoder::MessageEncoder(Options options)
    : options_(options),
      limit_(std::clamp(options.max_message_octets, kMinMaxMessageOctets, kMaxMessageOctets) /
             kAlignment * kAlignment),
      end_(kMessageHeaderOctets),
      sequence_(options.first_sequence) {
  buffer_.resize(2 * limit_);
}

bool MessageEncoder::empty() const { return end_ == kMessageHeaderOctets; }
size_t MessageEncoder::records() const { return records_; }
uint32_t MessageEncoder::sequence() const { return sequence_; }

bool MessageEncoder::Fits(size_t octets) const { return octets <= limit_ - end_; }

// RFC 7011 3.3.1: padding must be shorter than any record of the set, or it would be one.
size_t MessageEncoder::Padding() const {
  if (set_begin_ == 0) return 0;
  const size_t padding = (kAlignment - end_ % kAlignment) % kAlignment;
  return padding < smallest_record_ ? padding : 0;
}

size_t MessageEncoder::Overhead(uint16_t set_id) const {
  const bool same_set = set_begin_ != 0 && set_id_ == set_id;
  return same_set ? 0 : Padding() + kSetHeaderOctets;
}

void MessageEncoder::OpenSet(uint16_t set_id, size_t smallest_record) {
  CloseSet();
  set_begin_ = end_;
  set_id_ = set_id;
  smallest_record_ = smallest_record;
  StoreBigEndian<2>(set_id, &buffer_[end_]);
  end_ += kSetHeaderOctets;
}

void MessageEncoder::CloseSet() {
  if (set_begin_ == 0) return;
  const size_t padding = Padding();
  std::memset(&buffer_[end_], 0, padding);
  end_ += padding;
  StoreBigEndian<2>(end_ - set_begin_, &buffer_[set_begin_ + 2]);
  set_begin_ = 0;
}

bool MessageEncoder::AddTemplate(const Template& description) {
  const uint16_t set_id = description.scope_fields > 0 ? kOptionsTemplateSet : kTemplateSet;
  const size_t overhead = Overhead(set_id);
  const size_t octets = TemplateOctets(description);
  if (!Fits(overhead + octets)) return false;
  if (overhead > 0) OpenSet(set_id, kTemplateHeaderOctets);
  PutTemplate(description, options_.pen, &buffer_[end_]);
  end_ += octets;
  return true;
}

bool MessageEncoder::AddRecord(const Template& description, const void* record) {
  turned_away_.clear();
  if (options_.max_records > 0 && records_ >= options_.max_records) return false;
  const size_t overhead = Overhead(description.id);
  if (!Fits(overhead + description.fixed_octets + description.variable_fields)) return false;

  const size_t room = limit_ - kMessageHeaderOctets - kSetHeaderOctets;
  const size_t without_strings =
      description.fixed_octets + kLongestLengthOctets * description.variable_fields;
  if (without_strings > room) return false;

  // Where it will lie if it fits. The set before it is closed only then.
  uint8_t* const begin = &buffer_[end_ + overhead];
  Writer writer(begin, room - without_strings);
  description.put(description, record, writer);
  const auto size = static_cast<size_t>(writer.at() - begin);
  if (!Fits(overhead + size)) {
    turned_away_.assign(begin, writer.at());
    return false;
  }
  Take(description, overhead, size);
  return true;
}

bool MessageEncoder::AddTurnedAway(const Template& description) {
  const size_t overhead = Overhead(description.id);
  if (!Fits(overhead + turned_away_.size())) return false;
  std::ranges::copy(turned_away_, &buffer_[end_ + overhead]);
  Take(description, overhead, turned_away_.size());
  turned_away_.clear();
  return true;
}

void MessageEncoder::Take(const Template& description, size_t overhead, size_t octets) {
  if (overhead > 0) {
    // Padding is always shorter than the smallest record: of none there is none.
    const size_t smallest = description.fixed_octets + description.variable_fields;
    OpenSet(description.id, description.padded ? smallest : 0);
  }
  end_ += octets;
  ++records_;
}

std::span<const uint8_t> MessageEncoder::Finish(Time export_time) {
  if (empty()) return {};
  CloseSet();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(export_time.time_since_epoch());
  uint8_t* const header = buffer_.data();
  StoreBigEndian<2>(kVersion, header);
  StoreBigEndian<2>(end_, header + 2);
  StoreBigEndian<4>(static_cast<uint64_t>(seconds.count()), header + 4);
  StoreBigEndian<4>(sequence_, header + 8);
  StoreBigEndian<4>(options_.observation_domain, header + 12);

  const std::span<const uint8_t> message(buffer_.data(), end_);
  sequence_ += static_cast<uint32_t>(records_);
  records_ = 0;
  end_ = kMessageHeaderOctets;
  return message;
}

}  // namespace sockflow::ipfix
