// SPDX-License-Identifier: MIT
#pragma once

// How templates are made of fields: typed here, so that a field takes its value only from the record
// that it was written for, and erased (const void*) in what the encoder sees.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "ipfix/element_table.h"
#include "ipfix/writer.h"
#include "sockflow/ipfix/template.h"

namespace sockflow::ipfix {

template <typename Record>
struct FieldOf {
  Field field;
};

// A name that elements.h does not have under that enterprise number does not compile.
template <uint32_t kPen>
consteval const Element* NamedUnder(std::string_view name) {
  const Element* element = Named(name);
  return element->pen == kPen ? element : NoElementHasThisName();
}
consteval const Element* Iana(std::string_view name) { return NamedUnder<kIana>(name); }
consteval const Element* Reverse(std::string_view name) { return NamedUnder<kReverse>(name); }
consteval const Element* Ntop(std::string_view name) { return NamedUnder<kNtop>(name); }
consteval const Element* Antrea(std::string_view name) { return NamedUnder<kAntrea>(name); }
consteval const Element* Own(std::string_view name) { return NamedUnder<kOwn>(name); }

// Declared only: what the getter of a field takes is the record of the field.
template <typename Get, typename Value, typename Record>
FieldOf<Record> FieldMadeOf(Value (Get::*)(const Record&) const);
template <typename Get>
using FieldFor = decltype(FieldMadeOf<Get>(&Get::operator()));

template <typename Get, typename Record>
constexpr decltype(auto) ValueOf(FieldOf<Record>, const void* record) {
  return Get{}(*static_cast<const Record*>(record));
}

// The fields that there can be. `Get` is a lambda without captures that takes the record.
template <size_t kOctets, typename Get>
consteval FieldFor<Get> Number(const Element* element, Get) {
  return {{element, kOctets, [](const void* record, Writer& writer) {
             writer.Unsigned<kOctets>(
                 static_cast<uint64_t>(ValueOf<Get>(FieldFor<Get>(), record)));
           }}};
}
// RFC 7011 6.1.5: 1 is true, 2 is false.
template <typename Get>
consteval FieldFor<Get> Boolean(const Element* element, Get) {
  return {{element, 1, [](const void* record, Writer& writer) {
             writer.Unsigned<1>(ValueOf<Get>(FieldFor<Get>(), record) ? 1 : 2);
           }}};
}
template <typename Get>
consteval FieldFor<Get> Uuid(const Element* element, Get) {
  return {{element, 16, [](const void* record, Writer& writer) {
             writer.Uuid(ValueOf<Get>(FieldFor<Get>(), record));
           }}};
}
template <typename Get>
consteval FieldFor<Get> Ipv4(const Element* element, Get) {
  return {{element, 4, [](const void* record, Writer& writer) {
             writer.Ipv4(ValueOf<Get>(FieldFor<Get>(), record).address);
           }}};
}
template <typename Get>
consteval FieldFor<Get> Ipv6(const Element* element, Get) {
  return {{element, 16, [](const void* record, Writer& writer) {
             writer.Ipv6(ValueOf<Get>(FieldFor<Get>(), record).address);
           }}};
}
template <typename Get>
consteval FieldFor<Get> Text(const Element* element, Get) {
  return {{element, kVariableLength, [](const void* record, Writer& writer) {
             writer.String(ValueOf<Get>(FieldFor<Get>(), record));
           }}};
}
template <size_t kOctets, typename Get>
consteval FieldFor<Get> FixedText(const Element* element, Get) {
  return {{element, kOctets, [](const void* record, Writer& writer) {
             writer.FixedString<kOctets>(ValueOf<Get>(FieldFor<Get>(), record));
           }}};
}

template <typename Record, size_t... kSizes>
constexpr auto Join(const std::array<FieldOf<Record>, kSizes>&... lists) {
  std::array<FieldOf<Record>, (kSizes + ...)> fields{};
  FieldOf<Record>* at = fields.data();
  ((at = std::ranges::copy(lists, at).out), ...);
  return fields;
}

// The same fields for those who need not know of what record. kFields: a constexpr std::array of
// FieldOf at namespace scope.
template <const auto& kFields>
inline constexpr auto kErased = [] {
  std::array<Field, kFields.size()> fields{};
  for (size_t i = 0; i < fields.size(); ++i) fields[i] = kFields[i].field;
  return fields;
}();

// Writes all fields of a template. Since the compiler sees which they are, it makes one function of
// all of them; the copy keeps the position in a register.
template <const auto& kFields>
void PutFields(const Template&, const void* record, Writer& writer) {
  Writer local = writer;
  [&]<size_t... kIndex>(std::index_sequence<kIndex...>) {
    (kFields[kIndex].field.put(record, local), ...);
  }(std::make_index_sequence<kFields.size()>());
  writer = local;
}

// The same for a template whose fields are known only at run time.
void PutListedFields(const Template& description, const void* record, Writer& writer);

// Fills in what is derived from the fields.
constexpr void Measure(Template& description) {
  for (const Field& field : description.fields) {
    if (field.length == kVariableLength) {
      ++description.variable_fields;
    } else {
      description.fixed_octets += field.length;
    }
  }
}

template <typename Record, size_t kSize>
constexpr TemplateOf<Record> EmptyTemplateOf(const std::array<FieldOf<Record>, kSize>&) {
  return {};
}

template <const auto& kFields>
constexpr auto MakeTemplate(uint16_t id, std::string_view name, uint16_t scope_fields = 0) {
  auto description = EmptyTemplateOf(kFields);
  description.id = id;
  description.name = name;
  description.scope_fields = scope_fields;
  description.fields = kErased<kFields>;
  description.put = PutFields<kFields>;
  Measure(description);
  return description;
}

}  // namespace sockflow::ipfix
