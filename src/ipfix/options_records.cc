// SPDX-License-Identifier: MIT
#include "sockflow/ipfix/options_records.h"

#include <algorithm>
#include <set>

#include "ipfix/session_values.h"
#include "ipfix/typed_template.h"
#include "sockflow/ipfix/message_encoder.h"

namespace sockflow::ipfix {
namespace {

// RFC 7011 4.1 to 4.3 are of a domain that is itself none of the flows'.
constexpr uint32_t kExporterDomain = 0;

// --- RFC 5610: what an enterprise element is ---

struct TypeRecord {
  const Element& element;
  uint32_t pen;
};

// Type and range of unsigned numbers are known; others have no range that could be sent.
uint64_t RangeEnd(const Element& element) {
  switch (element.type) {
    case Type::kUnsigned8: return UINT8_MAX;
    case Type::kUnsigned16: return UINT16_MAX;
    case Type::kUnsigned32: return UINT32_MAX;
    case Type::kUnsigned64: return UINT64_MAX;
    default: return 0;
  }
}

// All nine, in one template: libfixbuf takes over no names from a record with fewer, though RFC 5610
// 3.9 lets units and range be left out.
constexpr auto kTypeFields = std::to_array({
    Number<4>(Iana("privateEnterpriseNumber"), [](const TypeRecord& r) { return r.pen; }),
    Number<2>(Iana("informationElementId"), [](const TypeRecord& r) { return r.element.id; }),
    Number<1>(Iana("informationElementDataType"),
              [](const TypeRecord& r) { return r.element.type; }),
    Number<1>(Iana("informationElementSemantics"),
              [](const TypeRecord& r) { return r.element.semantics; }),
    Number<2>(Iana("informationElementUnits"),
              [](const TypeRecord& r) { return UnitsNumber(r.element.units); }),
    Number<8>(Iana("informationElementRangeBegin"), [](const TypeRecord&) { return 0; }),
    Number<8>(Iana("informationElementRangeEnd"),
              [](const TypeRecord& r) { return RangeEnd(r.element); }),
    Text(Iana("informationElementName"), [](const TypeRecord& r) { return r.element.name; }),
    Text(Iana("informationElementDescription"),
         [](const TypeRecord& r) { return r.element.description; }),
});

// --- RFC 7011 4.3: the exporting process ---

struct ExportingRecord {
  const ExporterIdentity& identity;
  const ExportingStatistics& statistics;
  uint64_t ignored;
  Time now;
};

// The times are those that RFC 7011 4.3 lists: one element twice, of which readers take the range.
// Readers that keep one value for each element show one end of it and lose no counter;
// flowStartMilliseconds and flowEndMilliseconds would make flows of these records.
constexpr auto kExportingFields = std::to_array({
    Number<4>(Iana("exportingProcessId"),
              [](const ExportingRecord& r) { return r.identity.process_id; }),
    Number<8>(Iana("exportedMessageTotalCount"),
              [](const ExportingRecord& r) { return r.statistics.messages; }),
    Number<8>(Iana("exportedFlowRecordTotalCount"),
              [](const ExportingRecord& r) { return r.statistics.records; }),
    Number<8>(Iana("exportedOctetTotalCount"),
              [](const ExportingRecord& r) { return r.statistics.octets; }),
    // Also here, so that one record tells of all that is missing.
    Number<8>(Iana("ignoredPacketTotalCount"), [](const ExportingRecord& r) { return r.ignored; }),
    Number<8>(Iana("notSentFlowTotalCount"),
              [](const ExportingRecord& r) { return r.statistics.not_sent_records; }),
    Number<8>(Iana("notSentPacketTotalCount"),
              [](const ExportingRecord& r) { return r.statistics.not_sent_packets; }),
    Number<8>(Iana("notSentOctetTotalCount"),
              [](const ExportingRecord& r) { return r.statistics.not_sent_octets; }),
    Number<8>(Iana("observationTimeMilliseconds"),
              [](const ExportingRecord& r) {
                return Milliseconds(r.statistics.first_not_sent.value_or(r.now));
              }),
    Number<8>(Iana("observationTimeMilliseconds"),
              [](const ExportingRecord& r) {
                return Milliseconds(r.statistics.last_not_sent.value_or(r.now));
              }),
});

// --- RFC 7011 4.2: the metering process ---

struct MeteringRecord {
  const ExporterIdentity& identity;
  const MeteringStatistics& statistics;
  uint64_t ignored;
  Time now;
};

// The domain is a scope, which RFC 7011 4.2 asks for where the domain of the message is 0. What we
// observe are not packets but what the kernel tells of sessions: one event that was lost counts as
// one packet. Octets are not known.
constexpr auto kMeteringFields = std::to_array({
    Number<4>(Iana("observationDomainId"),
              [](const MeteringRecord& r) { return r.identity.observation_domain; }),
    Number<4>(Iana("meteringProcessId"),
              [](const MeteringRecord& r) { return r.identity.process_id; }),
    Number<8>(Iana("ignoredPacketTotalCount"), [](const MeteringRecord& r) { return r.ignored; }),
    Number<8>(Iana("ignoredOctetTotalCount"), [](const MeteringRecord&) { return 0; }),
    Number<8>(Iana("observationTimeMilliseconds"),
              [](const MeteringRecord& r) {
                return Milliseconds(r.statistics.first_loss.value_or(r.now));
              }),
    Number<8>(Iana("observationTimeMilliseconds"),
              [](const MeteringRecord& r) {
                return Milliseconds(r.statistics.last_loss.value_or(r.now));
              }),
});

struct LossRecord {
  const ExporterIdentity& identity;
  const MeteringLoss& loss;
};

constexpr auto kLossFields = std::to_array({
    Number<4>(Iana("observationDomainId"),
              [](const LossRecord& r) { return r.identity.observation_domain; }),
    Number<4>(Iana("meteringProcessId"),
              [](const LossRecord& r) { return r.identity.process_id; }),
    Text(Own("lossReason"), [](const LossRecord& r) { return r.loss.reason; }),
    Number<8>(Own("lossTotalCount"), [](const LossRecord& r) { return r.loss.count; }),
});

// --- the domain's name ---

constexpr auto kNameFields = std::to_array({
    Number<4>(Iana("observationDomainId"),
              [](const ExporterIdentity& i) { return i.observation_domain; }),
    Text(Iana("observationDomainName"),
         [](const ExporterIdentity& i) { return std::string_view(i.domain_name); }),
});

// No host name of Linux is longer (HOST_NAME_MAX).
constexpr auto kFixedNameFields = std::to_array({
    Number<4>(Iana("observationDomainId"),
              [](const ExporterIdentity& i) { return i.observation_domain; }),
    FixedText<64>(Iana("observationDomainName"),
                  [](const ExporterIdentity& i) { return std::string_view(i.domain_name); }),
});

// Ids as in session_templates.cc: never used for anything else.
constexpr auto kType = MakeTemplate<kTypeFields>(501, "options-element-types", 2);
constexpr auto kExporting = MakeTemplate<kExportingFields>(502, "options-exporting", 1);
constexpr auto kMetering = MakeTemplate<kMeteringFields>(503, "options-metering", 2);
constexpr auto kLoss = MakeTemplate<kLossFields>(504, "options-metering-loss", 3);
constexpr auto kName = MakeTemplate<kNameFields>(505, "options-domain-name", 1);
constexpr auto kFixedName = MakeTemplate<kFixedNameFields>(506, "options-domain-name-fixed", 1);

// As many messages of one domain as it takes; the last is there when this goes.
class Messages {
 public:
  Messages(uint32_t domain, const Layout& layout, const MessageLimits& limits,
           std::vector<Message>& out)
      : encoder_({.observation_domain = domain,
                  .max_message_octets = limits.max_message_octets,
                  .pen = layout.pen()}),
        out_(out) {}
  ~Messages() { Finish(); }

  void AddTemplate(const Template& description) {
    if (encoder_.AddTemplate(description)) return;
    Finish();
    (void)encoder_.AddTemplate(description);  // an empty message holds any template
  }

  template <typename Record>
  void Add(const TemplateOf<Record>& description, const Record& record) {
    if (encoder_.Add(description, record)) return;
    Finish();
    (void)encoder_.Add(description, record);  // and any record
  }

 private:
  void Finish() {
    if (encoder_.empty()) return;
    const auto records = static_cast<uint32_t>(encoder_.records());
    const std::span<const uint8_t> octets = encoder_.Finish(Time{});
    out_.push_back({.octets = {octets.begin(), octets.end()}, .records = records});
  }

  MessageEncoder encoder_;
  std::vector<Message>& out_;
};

// Those that a reader may not know. What the reverse of an element is, RFC 5103 says.
std::vector<const Element*> EnterpriseElements(const Layout& layout) {
  const auto order = [](const Element* a, const Element* b) { return NumberLess(*a, *b); };
  std::set<const Element*, decltype(order)> elements;
  const auto collect = [&elements](std::span<const Field> fields) {
    for (const Field& field : fields) {
      const uint32_t pen = field.element->pen;
      if (pen != kIana && pen != kReverse) elements.insert(field.element);
    }
  };
  for (const Template& description : layout.templates()) collect(description.fields);
  if (layout.pen() != 0) collect(kLoss.fields);
  return {elements.begin(), elements.end()};
}

uint64_t SumOf(std::span<const MeteringLoss> losses) {
  uint64_t sum = 0;
  for (const MeteringLoss& loss : losses) sum += loss.count;
  return sum;
}

}  // namespace

std::vector<Message> MakePreamble(const Layout& layout, const ExporterIdentity& identity,
                                  const MessageLimits& limits) {
  std::vector<Message> out;
  if (layout.templates_in_each_message()) return out;
  const std::vector<const Element*> elements = EnterpriseElements(layout);
  const auto& name = layout.fixed_length() ? kFixedName : kName;
  {
    Messages messages(identity.observation_domain, layout, limits, out);
    // Before the templates that use the elements: libfixbuf takes over names later, but not types,
    // and shows numbers with their octets in the wrong order.
    if (!elements.empty()) messages.AddTemplate(kType);
    for (const Element* element : elements) {
      messages.Add(kType,
                   TypeRecord{*element, element->pen == kOwn ? layout.pen() : element->pen});
    }
    for (const Template& description : layout.templates()) messages.AddTemplate(description);
    messages.AddTemplate(kMetering);
    if (layout.pen() != 0) messages.AddTemplate(kLoss);
    if (!identity.domain_name.empty()) {
      messages.AddTemplate(name);
      messages.Add(name, identity);
    }
  }
  // A template is one of its domain only (RFC 7011 8).
  Messages(kExporterDomain, layout, limits, out).AddTemplate(kExporting);
  return out;
}

std::vector<Message> MakeStatistics(const Layout& layout, const ExporterIdentity& identity,
                                    const ExportingStatistics& exporting,
                                    const MeteringStatistics& metering, Time now,
                                    const MessageLimits& limits) {
  std::vector<Message> out;
  if (layout.templates_in_each_message()) return out;
  const uint64_t ignored = SumOf(metering.losses);
  Messages(kExporterDomain, layout, limits, out)
      .Add(kExporting, ExportingRecord{identity, exporting, ignored, now});
  {
    Messages messages(identity.observation_domain, layout, limits, out);
    messages.Add(kMetering, MeteringRecord{identity, metering, ignored, now});
    if (layout.pen() != 0) {
      for (const MeteringLoss& loss : metering.losses) {
        messages.Add(kLoss, LossRecord{identity, loss});
      }
    }
  }
  return out;
}

}  // namespace sockflow::ipfix
