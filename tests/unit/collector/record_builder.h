// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sockflow/ipfix/element.h"
#include "sockflow/ipfix/message_decoder.h"

namespace sockflow::collector {

// A data record made by hand, field by field, as the decoder would deliver it.
class RecordBuilder {
 public:
  RecordBuilder() {
    header_.export_time = Time(std::chrono::seconds(1'763'717'212));  // 2025-11-21T09:26:52Z
    header_.observation_domain = 7;
    description_.id = 300;
  }

  RecordBuilder& Raw(uint32_t pen, uint16_t id, std::string_view octets) {
    description_.fields.push_back({.pen = pen,
                                   .id = id,
                                   .length = static_cast<uint16_t>(octets.size()),
                                   .element = ipfix::FindElement(pen, id)});
    values_.emplace_back(octets);
    return *this;
  }
  RecordBuilder& Number(uint32_t pen, uint16_t id, uint64_t value, size_t octets) {
    std::string raw;
    for (size_t i = octets; i-- > 0;) raw += static_cast<char>(value >> (8 * i) & 0xff);
    return Raw(pen, id, raw);
  }
  RecordBuilder& Scopes(uint16_t count) {
    description_.scope_fields = count;
    return *this;
  }

  // Every value is given its own allocation, so that a read beyond its end is found.
  template <typename Use>
  void With(Use use) const {
    std::vector<std::vector<uint8_t>> memory;
    std::vector<std::span<const uint8_t>> spans;
    for (const std::string& value : values_) memory.emplace_back(value.begin(), value.end());
    for (const auto& value : memory) spans.emplace_back(value);
    use(ipfix::RecordView{header_, description_, spans});
  }

  ipfix::MessageHeader& header() { return header_; }

 private:
  ipfix::MessageHeader header_;
  ipfix::DecodedTemplate description_;
  std::vector<std::string> values_;
};

}  // namespace sockflow::collector
