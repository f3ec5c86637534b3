// SPDX-License-Identifier: MIT
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "collector/line_buffer.h"
#include "collector/plan_cache.h"
#include "collector/record_printer.h"
#include "collector/safe_text.h"
#include "collector/time_writer.h"
#include "sockflow/ipfix/element.h"
#include "sockflow/ipfix/value.h"

namespace sockflow::collector {
namespace {

using ipfix::DecodedField;
using ipfix::DecodedTemplate;
using ipfix::Element;
using ipfix::RecordView;
using ipfix::Type;
using Octets = std::span<const uint8_t>;

// Elements that stand before a record's own fields unless it has them itself.
constexpr uint16_t kExporterIpv4Address = 130;
constexpr uint16_t kExporterIpv6Address = 131;
constexpr uint16_t kObservationDomainId = 149;

// How a value is written. The first four are by far the most frequent and written here without a
// detour; ipfix::AppendValue does the others, and these when the length is not what it should be.
enum class How : uint8_t { kUnsigned, kText, kIpv4, kMilliseconds, kAnyOther };

How HowToWrite(const Element* element) {
  if (element == nullptr) return How::kAnyOther;
  switch (element->type) {
    case Type::kUnsigned8:
    case Type::kUnsigned16:
    case Type::kUnsigned32:
    case Type::kUnsigned64:
      return How::kUnsigned;
    case Type::kString:
      return How::kText;
    case Type::kIpv4Address:
      return How::kIpv4;
    case Type::kDateTimeMilliseconds:
      return How::kMilliseconds;
    default:
      return How::kAnyOther;
  }
}

struct Key {
  std::string text;  // `,"sourceIPv4Address":`
  How how = How::kAnyOther;
  const Element* element = nullptr;
  size_t position = 0;       // of the value
  std::vector<size_t> also;  // further values under the same name
  std::vector<const Element*> also_elements;
};

struct Plan {
  std::vector<Key> keys;
  bool has_domain = false;
  bool has_exporter = false;
};

std::string NameOf(const DecodedField& field) {
  if (field.element == nullptr) return absl::StrCat("enterprise", field.pen, "_id", field.id);
  // Names may come from the stream too (RFC 5610).
  std::string name(field.element->name.size() * kMaxGrowth, '\0');
  name.resize(static_cast<size_t>(WriteJsonText(field.element->name, name.data()) - name.data()));
  return name;
}

Plan MakePlan(const DecodedTemplate& description) {
  Plan plan;
  absl::flat_hash_map<std::string, size_t> positions;  // in plan.keys
  for (size_t i = 0; i < description.fields.size(); ++i) {
    const DecodedField& field = description.fields[i];
    Key key;
    key.text = absl::StrCat(",\"", NameOf(field), "\":");
    const auto [same, is_first] = positions.try_emplace(key.text, plan.keys.size());
    if (!is_first) {
      plan.keys[same->second].also.push_back(i);
      plan.keys[same->second].also_elements.push_back(field.element);
      continue;
    }
    key.how = HowToWrite(field.element);
    key.element = field.element;
    key.position = i;
    plan.keys.push_back(std::move(key));
    if (field.pen != ipfix::kIana) continue;
    plan.has_domain |= field.id == kObservationDomainId;
    plan.has_exporter |= field.id == kExporterIpv4Address || field.id == kExporterIpv6Address;
  }
  return plan;
}

uint64_t BigEndian(Octets octets) {
  uint64_t value = 0;
  for (const uint8_t octet : octets) value = value << 8 | octet;
  return value;
}

char* WriteDecimalOctet(uint8_t octet, char* out) {
  if (octet >= 100) return WriteThreeDigits(octet, out);
  if (octet >= 10) return WriteTwoDigits(octet, out);
  *out++ = static_cast<char>('0' + octet);
  return out;
}

class JsonPrinter : public RecordPrinter {
 public:
  void Print(const RecordView& record, std::string* out) override {
    const Plan& plan = plans_.For(record.description, MakePlan);
    line_.Clear();
    AppendHeader(record.header, plan);
    for (const Key& key : plan.keys) {
      line_.Append(key.text);
      if (key.also.empty()) {
        AppendJson(key.how, key.element, record.values[key.position]);
        continue;
      }
      line_.Append('[');
      AppendJson(key.how, key.element, record.values[key.position]);
      for (size_t i = 0; i < key.also.size(); ++i) {
        line_.Append(',');
        AppendJson(HowToWrite(key.also_elements[i]), key.also_elements[i],
                   record.values[key.also[i]]);
      }
      line_.Append(']');
    }
    line_.Append("}\n");
    out->append(line_.view());
  }

 private:
  void AppendHeader(const ipfix::MessageHeader& header, const Plan& plan) {
    line_.Append("{\"exportTime\":\"");
    const auto seconds =
        std::chrono::floor<std::chrono::seconds>(header.export_time).time_since_epoch().count();
    char* const at = line_.Reserve(TimeWriter::kMaxOctets);
    char* const end = export_times_.WriteUtc(static_cast<uint64_t>(seconds) * 1000, at);
    line_.AdvanceTo(end - 5);  // whole seconds: without ".000Z"
    line_.Append("Z\"");
    if (!plan.has_domain) {
      line_.Append(",\"observationDomainId\":");
      line_.AppendNumber(header.observation_domain);
    }
    if (exporter_.has_value() && !plan.has_exporter) {
      line_.Append(exporter_->is_v4() ? ",\"exporterIPv4Address\":\""
                                      : ",\"exporterIPv6Address\":\"");
      line_.Append(exporter_->ToString());
      line_.Append('"');
    }
  }

  void AppendJson(How how, const Element* element, Octets octets) {
    switch (how) {
      case How::kUnsigned:
        if (octets.empty() || octets.size() > 8) break;
        line_.AppendNumber(BigEndian(octets));
        return;
      case How::kText: {
        const std::string_view text = ipfix::ReadString(octets);
        char* at = line_.Reserve(text.size() * kMaxGrowth + 2);
        *at++ = '"';
        at = WriteJsonText(text, at);
        *at++ = '"';
        line_.AdvanceTo(at);
        return;
      }
      case How::kIpv4: {
        if (octets.size() != 4) break;
        char* at = line_.Reserve(17);
        *at++ = '"';
        for (size_t i = 0; i < 4; ++i) {
          at = WriteDecimalOctet(octets[i], at);
          *at++ = i < 3 ? '.' : '"';
        }
        line_.AdvanceTo(at);
        return;
      }
      case How::kMilliseconds: {
        if (octets.size() != 8) break;
        const uint64_t milliseconds = BigEndian(octets);
        if (milliseconds > TimeWriter::kMaxMilliseconds) break;
        char* at = line_.Reserve(TimeWriter::kMaxOctets + 2);
        *at++ = '"';
        at = times_.WriteUtc(milliseconds, at);
        *at++ = '"';
        line_.AdvanceTo(at);
        return;
      }
      case How::kAnyOther:
        break;
    }
    AppendAnyOther(element, octets);
  }

  void AppendAnyOther(const Element* element, Octets octets) {
    value_.clear();
    if (ipfix::AppendValue(element, octets, value_) != ipfix::ValueKind::kString) {
      line_.Append(value_);
      return;
    }
    char* at = line_.Reserve(value_.size() * kMaxGrowth + 2);
    *at++ = '"';
    at = WriteJsonText(value_, at);
    *at++ = '"';
    line_.AdvanceTo(at);
  }

  PlanCache<Plan> plans_;
  LineBuffer line_;
  TimeWriter times_;
  TimeWriter export_times_;
  std::string value_;
};

}  // namespace

std::unique_ptr<RecordPrinter> MakeJsonPrinter() { return std::make_unique<JsonPrinter>(); }

}  // namespace sockflow::collector
