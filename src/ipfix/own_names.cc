// SPDX-License-Identifier: MIT
#include "ipfix/own_names.h"

#include <algorithm>

#include "ipfix/element_table.h"
#include "sockflow/ipfix/value.h"

namespace sockflow::ipfix {
namespace {

// Senders under several numbers can share a session (a relay), but not very many.
constexpr size_t kMaxNames = 256;

}  // namespace

std::optional<TypeFields> TypeFields::In(const DecodedTemplate& description) {
  if (description.scope_fields == 0) return std::nullopt;
  TypeFields found;
  constexpr std::array kTold = {
      Named("privateEnterpriseNumber"), Named("informationElementId"),
      Named("informationElementDataType"), Named("informationElementName")};
  for (size_t i = 0; i < kTold.size(); ++i) {
    const auto field = std::ranges::find(description.fields, kTold[i], &DecodedField::element);
    if (field == description.fields.end()) return std::nullopt;
    found.positions[i] = static_cast<uint16_t>(field - description.fields.begin());
  }
  return found;
}

bool OwnNames::Learn(const TypeFields& fields, std::span<const std::span<const uint8_t>> values) {
  const auto number = [&](size_t i) { return ReadUnsigned(values[fields.positions[i]]); };
  const auto pen = number(0), id = number(1), type = number(2);
  const Element* element = FindElement(ReadString(values[fields.positions[3]]));
  if (!pen || !id || !type || element == nullptr || element->pen != kOwn || element->id != *id ||
      static_cast<uint64_t>(element->type) != *type) {
    return false;
  }
  // What the number of somebody else has is known without being told.
  if (*pen > UINT32_MAX || FindElement(static_cast<uint32_t>(*pen), element->id) != nullptr) return false;
  if (names_.size() >= kMaxNames || Find(static_cast<uint32_t>(*pen), element->id) != nullptr) return false;
  names_.push_back({static_cast<uint32_t>(*pen), element});
  return true;
}

const Element* OwnNames::Find(uint32_t pen, uint16_t id) const {
  const auto found = std::ranges::find_if(
      names_, [=](const Name& name) { return name.pen == pen && name.element->id == id; });
  return found == names_.end() ? nullptr : found->element;
}

}  // namespace sockflow::ipfix
