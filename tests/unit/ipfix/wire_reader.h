// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sockflow/ipfix/message.h"
#include "tests/unit/ipfix/wire_builder.h"

namespace sockflow::ipfix {

// A reader of octets by the figures of RFC 7011, which shares nothing with the decoder.
struct WireField {
  uint32_t pen = 0;
  uint16_t id = 0;
  uint16_t length = 0;
};

struct WireTemplate {
  uint32_t domain = 0;
  uint16_t set = 0;  // 2 or 3
  uint16_t id = 0;
  uint16_t scope_fields = 0;
  std::vector<WireField> fields;
};

struct WireRecord {
  uint32_t domain = 0;
  uint16_t id = 0;
  size_t templates_before = 0;  // in the messages, of all domains
  std::vector<Bytes> values;

  uint64_t Number(size_t field) const;
  std::string Text(size_t field) const;
};

struct WireContents {
  std::vector<WireTemplate> templates;
  std::vector<WireRecord> records;
};

// Fails the test at anything that is not as the standard says: lengths, padding, a record before its
// template in the same domain, a wrong count of records.
WireContents ReadWire(const std::vector<Message>& messages, size_t max_octets);

}  // namespace sockflow::ipfix
