// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "sockflow/ipfix/element.h"
#include "sockflow/time.h"

namespace sockflow::ipfix {

// One field of a template as received.
struct DecodedField {
  uint32_t pen = 0;
  uint16_t id = 0;
  uint16_t length = 0;               // as in the template; kVariableLength
  const Element* element = nullptr;  // nullptr: unknown, known by its numbers only
};

struct DecodedTemplate {
  uint16_t id = 0;
  uint16_t scope_fields = 0;  // > 0: an options template, the first so many fields are its scope
  std::vector<DecodedField> fields;
};

struct MessageHeader {
  uint16_t length = 0;
  Time export_time{};  // whole seconds
  uint32_t sequence = 0;
  uint32_t observation_domain = 0;
};

// One data record. All views point into the message and the decoder: valid during the call only.
struct RecordView {
  const MessageHeader& header;
  const DecodedTemplate& description;
  // One for each field of the template, the octets of its value.
  std::span<const std::span<const uint8_t>> values;
};

// Decodes the IPFIX messages of any number of transport sessions. Templates are kept per session
// and observation domain (RFC 7011 8). A malformed message is discarded whole (RFC 7011 9.1), its
// session goes on. All tables are bounded.
class MessageDecoder {
 public:
  struct Options {
    size_t max_sessions = 4096;               // transport session x domain; the longest idle one goes
    size_t max_templates_per_session = 4096;
    size_t max_fields_per_template = 1024;
  };

  // Every way in which something is not decoded, or not as sent. Names for output:
  // MalformedReasons().
  struct Stats {
    uint64_t messages = 0;
    uint64_t records = 0;
    uint64_t templates = 0;
    // Data sets without a template (and the octets in them): the message is fine.
    uint64_t unknown_template_sets = 0;
    // Data records that never arrived, by sequence number.
    uint64_t lost_records = 0;
    // Malformed messages by reason.
    uint64_t too_short = 0;
    uint64_t wrong_version = 0;
    uint64_t wrong_length = 0;
    uint64_t bad_set = 0;
    uint64_t bad_template = 0;
    uint64_t bad_record = 0;
    uint64_t over_limit = 0;
  };

  explicit MessageDecoder(Options options);
  ~MessageDecoder();

  // Decodes one message of the transport session `session` (for UDP: whatever tells the sender's
  // address and port apart). Records are delivered in order, after the whole message was found
  // sound. The error says what is wrong and at which octet.
  absl::Status Decode(std::string_view session, std::span<const uint8_t> message,
                      absl::FunctionRef<void(const RecordView&)> deliver);

  const Stats& stats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sockflow::ipfix
