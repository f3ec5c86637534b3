// SPDX-License-Identifier: MIT
#include "collector/session_parts.h"

#include "sockflow/ipfix/element.h"
#include "sockflow/ipfix/value.h"

namespace sockflow::collector {
namespace {

struct PartElement {
  uint32_t pen;
  uint16_t id;
  Part part;
};

constexpr PartElement kPartElements[] = {
    {ipfix::kIana, 1, kOctetDelta},
    {ipfix::kIana, 6, kControlBits},
    {ipfix::kIana, 7, kSourcePort},
    {ipfix::kIana, 8, kSourceAddress},
    {ipfix::kIana, 11, kDestinationPort},
    {ipfix::kIana, 12, kDestinationAddress},
    {ipfix::kIana, 27, kSourceAddress},
    {ipfix::kIana, 28, kDestinationAddress},
    {ipfix::kIana, 61, kDirection},
    {ipfix::kIana, 96, kApplicationName},
    {ipfix::kIana, 136, kEndReason},
    {ipfix::kIana, 152, kStart},
    {ipfix::kIana, 153, kEnd},
    {ipfix::kIana, 231, kSentBySource},
    {ipfix::kIana, 232, kSentByDestination},
    {ipfix::kIana, 233, kEvent},
    {ipfix::kIana, 298, kPacketsBySource},
    {ipfix::kIana, 371, kUserName},
    {ipfix::kNtop, 168, kSourcePid},
    {ipfix::kNtop, 169, kSourceProcess},
    {ipfix::kNtop, 372, kSourceUser},
    {ipfix::kNtop, 425, kSourceUid},
    {ipfix::kNtop, 375, kDestinationPid},
    {ipfix::kNtop, 376, kDestinationProcess},
    {ipfix::kNtop, 377, kDestinationUser},
    {ipfix::kNtop, 426, kDestinationUid},
    {ipfix::kOwn, 3, kCloseReason},
    {ipfix::kOwn, 4, kSocketError},
    {ipfix::kOwn, 11, kPreExisting},
};

}  // namespace

SessionPlan::SessionPlan(const ipfix::DecodedTemplate& description) : SessionPlan() {
  for (size_t i = 0; i < description.fields.size(); ++i) {
    const ipfix::DecodedField& field = description.fields[i];
    // Elements of our own come under any number.
    const uint32_t pen = field.element != nullptr ? field.element->pen : field.pen;
    for (const PartElement& known : kPartElements) {
      if (known.pen != pen || known.id != field.id) continue;
      if (positions_[known.part] < 0) positions_[known.part] = static_cast<int>(i);
    }
  }
  is_session_ = description.scope_fields == 0 && Has(kEvent) && Has(kSourceAddress) &&
                Has(kDestinationAddress) && Has(kSourcePort) && Has(kDestinationPort);
}

std::optional<uint64_t> Parts::Number(Part part) const { return ipfix::ReadUnsigned(At(part)); }

std::string_view Parts::Text(Part part) const { return ipfix::ReadString(At(part)); }

std::optional<Time> Parts::Moment(Part part) const {
  return ipfix::ReadTime(ipfix::Type::kDateTimeMilliseconds, At(part));
}

bool Parts::Truth(Part part) const { return ipfix::ReadBoolean(At(part)).value_or(false); }

bool Parts::IsLocalDestination() const {
  if (Number(kSourcePid).value_or(0) != 0 || !Text(kSourceProcess).empty()) return false;
  if (Number(kDestinationPid).value_or(0) != 0 || !Text(kDestinationProcess).empty()) return true;
  return Number(kDirection) == uint64_t{0};
}

}  // namespace sockflow::collector
