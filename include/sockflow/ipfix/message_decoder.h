// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
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
  // nullptr: unknown, known by its numbers only. Of an element of our own, under whatever number it comes
  // (Element::pen is kOwn then), once type records (RFC 5610) have told that it is one.
  const Element* element = nullptr;

  friend bool operator==(const DecodedField&, const DecodedField&) = default;
};

struct DecodedTemplate {
  uint16_t id = 0;
  uint16_t scope_fields = 0;  // > 0: an options template, the first so many fields are its scope
  std::vector<DecodedField> fields;

  friend bool operator==(const DecodedTemplate&, const DecodedTemplate&) = default;
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
// templates too; its session goes on. All tables are bounded.
class MessageDecoder {
 public:
  struct Options {
    // Of TCP, TLS: template withdrawals count (RFC 7011 8.1). Of UDP they must be ignored (8.4).
    bool reliable_transport = false;
    size_t max_sessions = 4096;  // transport session x domain; the longest idle one goes
    size_t max_templates_per_session = 4096;
    size_t max_fields_per_template = 1024;
    // Fields of all templates of all sessions together; the longest idle session goes.
    size_t max_fields = 1'000'000;
  };

  // Everything that was decoded, and every way in which something was not.
  struct Stats {
    uint64_t messages = 0;   // sound ones
    uint64_t records = 0;    // delivered
    uint64_t templates = 0;  // received, those sent again included
    // Templates that took the place of a different one.
    uint64_t redefined_templates = 0;
    // Data sets without a template: the message is fine.
    uint64_t unknown_template_sets = 0;
    uint64_t unknown_template_octets = 0;
    // Sets with a number that has no meaning yet (RFC 7011 3.3.2), skipped.
    uint64_t reserved_sets = 0;
    // Data records that did not arrive in their turn, by sequence number, and how many of these
    // came later.
    uint64_t lost_records = 0;
    uint64_t late_records = 0;
    // Sessions forgotten to make room.
    uint64_t evicted_sessions = 0;
    // Malformed messages by reason.
    uint64_t too_short = 0;      // than the header
    uint64_t wrong_version = 0;  // not 10
    uint64_t wrong_length = 0;   // the header's length is not the message's
    uint64_t bad_set = 0;        // a set that ends outside the message
    uint64_t bad_template = 0;   // cut off, or one that cannot describe records
    uint64_t bad_record = 0;     // a value that ends outside its set
    uint64_t over_limit = 0;     // templates beyond what Options allows

    friend bool operator==(const Stats&, const Stats&) = default;
  };

  explicit MessageDecoder(Options options);
  ~MessageDecoder();

  // Decodes one message of the transport session `session` (for UDP: whatever tells the sender's
  // address and port apart). Records are delivered in order, after the whole message was found
  // sound. The error says what is wrong and at which octet. `deliver` must not call the decoder.
  absl::Status Decode(std::string_view session, std::span<const uint8_t> message,
                      absl::FunctionRef<void(const RecordView&)> deliver);

  // The transport session is over, and with it the meaning of its templates (RFC 7011 8): to be
  // called when a connection closes, before its address and port can come again.
  void EndSession(std::string_view session);

  const Stats& stats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The counters of malformed messages with their names, for logs and metrics: "too_short", ...
std::vector<std::pair<std::string_view, uint64_t>> MalformedReasons(
    const MessageDecoder::Stats& stats);

}  // namespace sockflow::ipfix
