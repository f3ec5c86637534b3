// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "ipfix/own_names.h"
#include "sockflow/ipfix/message_decoder.h"

namespace sockflow::ipfix {

// A template as received, with what decoding its records needs.
struct ReceivedTemplate {
  // How many octets of fixed length come before a field of variable length, for each of these; then
  // how many come after the last.
  std::vector<uint32_t> fixed_runs;
  size_t smallest_record = 0;
  std::optional<TypeFields> types;  // its records tell of elements
  DecodedTemplate description;

  // Fills in the rest from `description`.
  void Prepare();
};

using TemplatePointer = std::shared_ptr<const ReceivedTemplate>;

// All that is known of one observation domain of one transport session.
struct DecodingSession {
  absl::flat_hash_map<uint16_t, TemplatePointer> templates;
  size_t fields = 0;  // of all templates
  OwnNames own;

  // The sequence number that should come next, if it can be told (RFC 7011 3.1).
  bool sequence_known = false;
  uint32_t next_sequence = 0;
  // The last records that were counted as lost: [gap_begin, gap_begin + gap_size). They may be late
  // only.
  uint32_t gap_begin = 0;
  uint32_t gap_size = 0;
};

// The sessions, bounded: the one that was idle for longest makes room. Senders choose the keys, and
// over UDP can invent any number of them.
class TemplateStore {
 public:
  TemplateStore(size_t max_sessions, size_t max_fields)
      : max_sessions_(max_sessions), max_fields_(max_fields) {}

  // nullptr if unknown. Does not count as use.
  const DecodingSession* Find(std::string_view session, uint32_t domain) const;
  // The session, made if unknown; now the last one to go.
  DecodingSession& Use(std::string_view session, uint32_t domain);

  // These keep the count of fields. nullptr for a template that goes.
  void SetTemplate(DecodingSession& session, uint16_t id, TemplatePointer description);
  // After the session has learned more of its elements.
  void NameFields(DecodingSession& session);
  // Makes room until all templates together are within bounds, but spares `session`.
  void Shrink(const DecodingSession& session);
  void EndSession(std::string_view session);

  uint64_t evicted() const { return evicted_; }

 private:
  using Key = std::pair<std::string, uint32_t>;
  using KeyView = std::pair<std::string_view, uint32_t>;
  struct Hash {
    using is_transparent = void;
    size_t operator()(const KeyView& key) const { return absl::Hash<KeyView>()(key); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const KeyView& a, const KeyView& b) const { return a == b; }
  };
  struct Entry {
    Key key;
    DecodingSession session;
  };
  using Entries = std::list<Entry>;

  void Erase(Entries::iterator entry);

  size_t max_sessions_;
  size_t max_fields_;
  size_t fields_ = 0;
  uint64_t evicted_ = 0;
  Entries entries_;  // the longest idle first
  absl::flat_hash_map<Key, Entries::iterator, Hash, Equal> by_key_;
};

}  // namespace sockflow::ipfix
