// SPDX-License-Identifier: MIT
#include "sockflow/ipfix/message_decoder.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "fmt/format.h"
#include "ipfix/template_store.h"
#include "ipfix/wire.h"

namespace sockflow::ipfix {
namespace {

using Octets = std::span<const uint8_t>;
using Stats = MessageDecoder::Stats;

// A jump ahead by more is another sequence, not a loss: at a million records a second it would be a
// minute of silence.
constexpr uint32_t kLargestGap = 1u << 26;

// Reads the length before a value of variable length (RFC 7011 7) at `at` of `set` and moves `at`
// behind it. False if the length or the value ends outside the set.
inline bool ReadVariableLength(Octets set, size_t& at, size_t& length) {
  if (at >= set.size()) return false;
  length = set[at++];
  if (length == kLongLength) {
    if (set.size() - at < 2) return false;
    length = Load16(&set[at]);
    at += 2;
  }
  return length <= set.size() - at;
}

// The set that a template came in, which also stands for all templates of its kind when these are
// withdrawn (RFC 7011 8.1, figures U and V).
uint16_t SetIdOf(const ReceivedTemplate& received) {
  return received.description.scope_fields > 0 ? kOptionsTemplateSet : kTemplateSet;
}

}  // namespace

struct MessageDecoder::State {
  // What a sound message does to the templates and which records it has, known before anything is
  // done. Kept to use their memory again.
  struct Change {
    uint16_t id;  // kTemplateSet or kOptionsTemplateSet: all templates of that kind
    TemplatePointer description;  // nullptr: withdrawn
  };
  struct DataSet {
    TemplatePointer description;
    Octets octets;
    size_t records;
  };

  explicit State(Options decoder_options)
      : options(decoder_options),
        store(std::max<size_t>(1, decoder_options.max_sessions), decoder_options.max_fields) {}

  absl::Status Malformed(uint64_t& counter, size_t offset, std::string_view what) {
    ++counter;
    return absl::InvalidArgumentError(
        fmt::format("IPFIX message discarded: at octet {}, {}", offset, what));
  }

  absl::Status ReadHeader(Octets message);
  absl::Status ReadSet(Octets message, size_t begin, size_t end, uint16_t set_id);
  absl::Status ReadTemplates(Octets message, size_t begin, size_t end, uint16_t set_id);
  absl::Status ReadTemplate(Octets message, size_t& at, size_t end, uint16_t set_id);
  absl::Status ReadData(Octets message, size_t begin, size_t end, uint16_t set_id);

  TemplatePointer TemplateNow(uint16_t id) const;
  absl::Status CheckLimits(size_t offset);
  void CheckSequence(DecodingSession& session, size_t records);
  void ApplyChanges(DecodingSession& session);
  void Deliver(const DataSet& set, absl::FunctionRef<void(const RecordView&)> deliver);
  void LearnNames(DecodingSession& session);

  Options options;
  Stats stats;
  TemplateStore store;

  // Of the message being decoded.
  MessageHeader header;
  const DecodingSession* known = nullptr;  // nullptr: the first message of its session
  std::vector<Change> changes;
  std::vector<DataSet> data_sets;
  uint64_t new_templates = 0;
  uint64_t unknown_sets = 0;
  uint64_t unknown_octets = 0;
  uint64_t reserved = 0;
  std::vector<Octets> values;  // of the record being delivered
};

absl::Status MessageDecoder::State::ReadHeader(Octets message) {
  if (message.size() < kMessageHeaderOctets) {
    return Malformed(stats.too_short, message.size(),
                     "it ends before its header of 16 octets is complete");
  }
  if (Load16(&message[0]) != kVersion) {
    return Malformed(stats.wrong_version, 0,
                     fmt::format("the version is {}, not 10: the sender speaks another protocol",
                                 Load16(&message[0])));
  }
  header.length = Load16(&message[2]);
  header.export_time = Time(std::chrono::seconds(Load32(&message[4])));
  header.sequence = Load32(&message[8]);
  header.observation_domain = Load32(&message[12]);
  if (header.length != message.size()) {
    return Malformed(stats.wrong_length, 2,
                     fmt::format("the header says {} octets, but {} arrived", header.length,
                                 message.size()));
  }
  return absl::OkStatus();
}

// The template as of here in the message: as it was known, then as the message changed it.
TemplatePointer MessageDecoder::State::TemplateNow(uint16_t id) const {
  TemplatePointer now;
  if (known != nullptr) {
    const auto found = known->templates.find(id);
    if (found != known->templates.end()) now = found->second;
  }
  for (const Change& change : changes) {
    if (change.id == id) {
      now = change.description;
    } else if (now != nullptr && change.id == SetIdOf(*now)) {
      now = nullptr;
    }
  }
  return now;
}

absl::Status MessageDecoder::State::ReadTemplate(Octets message, size_t& at, size_t end,
                                                 uint16_t set_id) {
  const size_t begin = at;
  const uint16_t id = Load16(&message[at]);
  const uint16_t field_count = Load16(&message[at + 2]);
  at += kTemplateHeaderOctets;
  if (field_count == 0) {  // RFC 7011 8.1: a withdrawal
    if (id < kFirstTemplateId && id != set_id) {
      return Malformed(stats.bad_template, begin,
                       fmt::format("template {} is withdrawn, which cannot exist", id));
    }
    if (options.reliable_transport) changes.push_back({id, nullptr});
    return absl::OkStatus();
  }
  if (id < kFirstTemplateId) {
    return Malformed(stats.bad_template, begin,
                     fmt::format("a template has the id {}, below 256", id));
  }
  if (field_count > options.max_fields_per_template) {
    return Malformed(stats.over_limit, begin,
                     fmt::format("template {} has {} fields, more than the allowed {}", id,
                                 field_count, options.max_fields_per_template));
  }
  auto received = std::make_shared<ReceivedTemplate>();
  DecodedTemplate& description = received->description;
  description.id = id;
  if (set_id == kOptionsTemplateSet) {
    if (end - at < 2) {
      return Malformed(stats.bad_template, at, fmt::format("options template {} is cut off", id));
    }
    description.scope_fields = Load16(&message[at]);
    at += 2;
    if (description.scope_fields == 0 || description.scope_fields > field_count) {
      return Malformed(stats.bad_template, begin,
                       fmt::format("options template {} has {} fields, of which {} scopes", id,
                                   field_count, description.scope_fields));
    }
  }
  description.fields.reserve(std::min<size_t>(field_count, (end - at) / 4));
  for (uint16_t i = 0; i < field_count; ++i) {
    const size_t octets = end - at >= 4 && (message[at] & 0x80) != 0 ? 8 : 4;
    if (end - at < octets) {
      return Malformed(stats.bad_template, at,
                       fmt::format("template {} is cut off after {} of {} fields", id, i,
                                   field_count));
    }
    DecodedField field;
    field.id = Load16(&message[at]) & static_cast<uint16_t>(~kEnterpriseBit);
    field.length = Load16(&message[at + 2]);
    if (octets == 8) field.pen = Load32(&message[at + 4]);
    field.element = FindElement(field.pen, field.id);
    if (field.element == nullptr && known != nullptr) {
      field.element = known->own.Find(field.pen, field.id);
    }
    description.fields.push_back(field);
    at += octets;
  }
  received->Prepare();
  if (received->smallest_record == 0) {
    return Malformed(stats.bad_template, begin,
                     fmt::format("template {} describes records of no octets", id));
  }
  ++new_templates;
  changes.push_back({id, std::move(received)});
  return absl::OkStatus();
}

absl::Status MessageDecoder::State::ReadTemplates(Octets message, size_t begin, size_t end,
                                                  uint16_t set_id) {
  size_t at = begin;
  while (end - at >= kTemplateHeaderOctets) {
    // Some exporters pad with more zeros than RFC 7011 3.3.1 allows; a template of id 0 there is
    // none.
    const Octets rest = message.subspan(at, end - at);
    if (rest[0] == 0 && std::ranges::all_of(rest, [](uint8_t octet) { return octet == 0; })) break;
    if (absl::Status status = ReadTemplate(message, at, end, set_id); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status MessageDecoder::State::ReadData(Octets message, size_t begin, size_t end,
                                             uint16_t set_id) {
  TemplatePointer description = TemplateNow(set_id);
  if (description == nullptr) {
    ++unknown_sets;
    unknown_octets += end - begin;
    return absl::OkStatus();
  }
  const Octets set = message.subspan(begin, end - begin);
  const std::vector<uint32_t>& runs = description->fixed_runs;
  const size_t smallest = description->smallest_record;
  size_t records = 0;
  if (runs.size() == 1) {
    records = set.size() / smallest;
  } else {
    // What is shorter than any record is padding.
    for (size_t at = 0; set.size() - at >= smallest; ++records) {
      const size_t record_begin = at;
      for (size_t i = 0; i + 1 < runs.size(); ++i) {
        size_t length = 0;
        at += runs[i];
        if (!ReadVariableLength(set, at, length)) {
          return Malformed(
              stats.bad_record, begin + record_begin,
              fmt::format("a record of template {} has a value that ends outside its set", set_id));
        }
        at += length;
      }
      if (set.size() - at < runs.back()) {
        return Malformed(stats.bad_record, begin + record_begin,
                         fmt::format("a record of template {} is cut off", set_id));
      }
      at += runs.back();
    }
  }
  data_sets.push_back({std::move(description), set, records});
  return absl::OkStatus();
}

absl::Status MessageDecoder::State::ReadSet(Octets message, size_t begin, size_t end,
                                            uint16_t set_id) {
  if (set_id == kTemplateSet || set_id == kOptionsTemplateSet) {
    return ReadTemplates(message, begin, end, set_id);
  }
  if (set_id >= kFirstTemplateId) return ReadData(message, begin, end, set_id);
  ++reserved;
  return absl::OkStatus();
}

absl::Status MessageDecoder::State::CheckLimits(size_t offset) {
  if (new_templates == 0) return absl::OkStatus();
  // A withdrawal in the same message is not counted on: that only makes the check stricter.
  size_t added = 0;
  size_t fields = known == nullptr ? 0 : known->fields;
  for (const Change& change : changes) {
    if (change.description == nullptr) continue;
    fields += change.description->description.fields.size();
    if (known == nullptr || !known->templates.contains(change.id)) {
      ++added;
    } else {
      fields -= std::min(fields, known->templates.at(change.id)->description.fields.size());
    }
  }
  const size_t templates = (known == nullptr ? 0 : known->templates.size()) + added;
  if (templates > options.max_templates_per_session || fields > options.max_fields) {
    return Malformed(stats.over_limit, offset,
                     fmt::format("its templates would make {} with {} fields for this session, "
                                 "more than the allowed {} and {}",
                                 templates, fields, options.max_templates_per_session,
                                 options.max_fields));
  }
  return absl::OkStatus();
}

void MessageDecoder::State::CheckSequence(DecodingSession& session, size_t records) {
  const auto count = static_cast<uint32_t>(records);
  const bool countable = unknown_sets == 0;  // how many records those had, nobody knows
  if (session.sequence_known && header.sequence != session.next_sequence) {
    const uint32_t ahead = header.sequence - session.next_sequence;
    // An exporter that starts anew starts at 0.
    if (ahead <= kLargestGap && header.sequence != 0) {
      stats.lost_records += ahead;
      session.gap_begin = session.next_sequence;
      session.gap_size = ahead;
    } else {
      const uint32_t into_gap = header.sequence - session.gap_begin;
      if (countable && into_gap < session.gap_size && count <= session.gap_size - into_gap) {
        // Not lost but late: what comes next is still what was to come next.
        stats.late_records += count;
        return;
      }
      session.gap_size = 0;
    }
  }
  session.sequence_known = countable;
  session.next_sequence = header.sequence + count;
}

void MessageDecoder::State::ApplyChanges(DecodingSession& session) {
  for (Change& change : changes) {
    if (change.id < kFirstTemplateId) {  // all of one kind
      std::vector<uint16_t> ids;
      for (const auto& [id, description] : session.templates) {
        if (SetIdOf(*description) == change.id) ids.push_back(id);
      }
      for (const uint16_t id : ids) store.SetTemplate(session, id, nullptr);
      continue;
    }
    const auto found = session.templates.find(change.id);
    if (found != session.templates.end() && change.description != nullptr) {
      // Most often the same, sent again.
      if (found->second->description == change.description->description) continue;
      ++stats.redefined_templates;
    }
    store.SetTemplate(session, change.id, std::move(change.description));
  }
  store.Shrink(session);
}

void MessageDecoder::State::Deliver(const DataSet& set,
                                    absl::FunctionRef<void(const RecordView&)> deliver) {
  const DecodedTemplate& description = set.description->description;
  values.resize(description.fields.size());
  const RecordView view{header, description, values};
  const uint8_t* at = set.octets.data();
  for (size_t record = 0; record < set.records; ++record) {
    // Unchecked: ReadData has walked the same way.
    Octets* value = values.data();
    for (const DecodedField& field : description.fields) {
      size_t length = field.length;
      if (length == kVariableLength) {
        length = *at++;
        if (length == kLongLength) {
          length = Load16(at);
          at += 2;
        }
      }
      *value++ = Octets(at, length);
      at += length;
    }
    deliver(view);
  }
}

// Of the templates that are known from here on; the sets of this message have theirs.
void MessageDecoder::State::LearnNames(DecodingSession& session) {
  bool learned = false;
  for (const DataSet& set : data_sets) {
    if (!set.description->types) continue;
    Deliver(set, [&](const RecordView& record) {
      learned = session.own.Learn(*set.description->types, record.values) || learned;
    });
  }
  if (learned) store.NameFields(session);
}

MessageDecoder::MessageDecoder(Options options) : state_(std::make_unique<State>(options)) {}
MessageDecoder::~MessageDecoder() = default;

absl::Status MessageDecoder::Decode(std::string_view session, Octets message,
                                    absl::FunctionRef<void(const RecordView&)> deliver) {
  State& state = *state_;
  if (absl::Status status = state.ReadHeader(message); !status.ok()) return status;
  const uint32_t domain = state.header.observation_domain;
  state.known = state.store.Find(session, domain);
  state.changes.clear();
  state.data_sets.clear();
  state.new_templates = state.unknown_sets = state.unknown_octets = state.reserved = 0;

  // First look at everything, then do it: a message of which any part is malformed does nothing.
  for (size_t at = kMessageHeaderOctets; at < message.size();) {
    if (message.size() - at < kSetHeaderOctets) {
      return state.Malformed(state.stats.bad_set, at, "octets are left that are too few for a set");
    }
    const size_t length = Load16(&message[at + 2]);
    if (length < kSetHeaderOctets || length > message.size() - at) {
      return state.Malformed(state.stats.bad_set, at,
                             fmt::format("a set has a length of {} octets, with {} left", length,
                                         message.size() - at));
    }
    absl::Status status =
        state.ReadSet(message, at + kSetHeaderOctets, at + length, Load16(&message[at]));
    if (!status.ok()) return status;
    at += length;
  }
  if (absl::Status status = state.CheckLimits(kMessageHeaderOctets); !status.ok()) return status;

  Stats& stats = state.stats;
  size_t records = 0;
  for (const State::DataSet& set : state.data_sets) records += set.records;
  ++stats.messages;
  stats.records += records;
  stats.templates += state.new_templates;
  stats.unknown_template_sets += state.unknown_sets;
  stats.unknown_template_octets += state.unknown_octets;
  stats.reserved_sets += state.reserved;
  DecodingSession& used = state.store.Use(session, domain);
  state.CheckSequence(used, records);
  state.ApplyChanges(used);
  stats.evicted_sessions = state.store.evicted();
  state.LearnNames(used);
  for (const State::DataSet& set : state.data_sets) state.Deliver(set, deliver);
  return absl::OkStatus();
}

void MessageDecoder::EndSession(std::string_view session) { state_->store.EndSession(session); }

const MessageDecoder::Stats& MessageDecoder::stats() const { return state_->stats; }

std::vector<std::pair<std::string_view, uint64_t>> MalformedReasons(const Stats& stats) {
  return {
      {"too_short", stats.too_short},       {"wrong_version", stats.wrong_version},
      {"wrong_length", stats.wrong_length}, {"bad_set", stats.bad_set},
      {"bad_template", stats.bad_template}, {"bad_record", stats.bad_record},
      {"over_limit", stats.over_limit},
  };
}

}  // namespace sockflow::ipfix
