// SPDX-License-Identifier: MIT
#include "sockflow/ipfix/element.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "ipfix/element_table.h"

namespace sockflow::ipfix {
namespace {

struct TypeFacts {
  std::string_view name;
  uint16_t length;   // RFC 7011 6.1
  bool reducible;    // RFC 7011 6.2: integers may be sent in fewer octets, float64 in 4
};

// In the order of Type.
constexpr auto kTypes = std::to_array<TypeFacts>({
    {"octetArray", kVariableLength, false},
    {"unsigned8", 1, true},
    {"unsigned16", 2, true},
    {"unsigned32", 4, true},
    {"unsigned64", 8, true},
    {"signed8", 1, true},
    {"signed16", 2, true},
    {"signed32", 4, true},
    {"signed64", 8, true},
    {"float32", 4, false},
    {"float64", 8, false},
    {"boolean", 1, false},
    {"macAddress", 6, false},
    {"string", kVariableLength, false},
    {"dateTimeSeconds", 4, false},
    {"dateTimeMilliseconds", 8, false},
    {"dateTimeMicroseconds", 8, false},
    {"dateTimeNanoseconds", 8, false},
    {"ipv4Address", 4, false},
    {"ipv6Address", 16, false},
    {"basicList", kVariableLength, false},
    {"subTemplateList", kVariableLength, false},
    {"subTemplateMultiList", kVariableLength, false},
    {"unsigned256", 32, true},
});
static_assert(kTypes.size() == static_cast<size_t>(Type::kUnsigned256) + 1);

constexpr auto kSemantics = std::to_array<std::string_view>({
    "default", "quantity", "totalCounter", "deltaCounter", "identifier", "flags", "list",
    "snmpCounter", "snmpGauge"});
static_assert(kSemantics.size() == static_cast<size_t>(Semantics::kSnmpGauge) + 1);

// RFC 5610 3.7, table 3, in the order of the numbers.
constexpr auto kUnits = std::to_array<std::string_view>({
    "", "bits", "octets", "packets", "flows", "seconds", "milliseconds", "microseconds",
    "nanoseconds", "4-octet words", "messages", "hops", "entries"});

constexpr const TypeFacts& FactsOf(Type type) { return kTypes[static_cast<size_t>(type)]; }

// Positions in kElements, ordered by name.
constexpr auto kByName = [] {
  std::array<uint16_t, kElements.size()> order{};
  std::iota(order.begin(), order.end(), uint16_t{0});
  std::ranges::sort(order, {}, [](uint16_t i) { return kElements[i].name; });
  return order;
}();

}  // namespace

std::string_view ToString(Type type) { return FactsOf(type).name; }
std::string_view ToString(Semantics semantics) {
  return kSemantics[static_cast<size_t>(semantics)];
}
std::string_view ToString(ElementStatus status) {
  return status == ElementStatus::kCurrent ? "current" : "deprecated";
}

uint16_t UnitsNumber(std::string_view units) {
  const auto found = std::ranges::find(kUnits, units);
  return found == kUnits.end() ? uint16_t{0} : static_cast<uint16_t>(found - kUnits.begin());
}

uint16_t NativeLength(Type type) { return FactsOf(type).length; }

bool IsLegalLength(Type type, uint16_t length) {
  const TypeFacts& facts = FactsOf(type);
  if (facts.length == kVariableLength) return length > 0;
  if (length == facts.length) return true;
  if (type == Type::kFloat64) return length == 4;
  return facts.reducible && length > 0 && length < facts.length;
}

std::span<const Element> AllElements() { return kElements; }

const Element* FindElement(uint32_t pen, uint16_t id) {
  const auto found = std::ranges::lower_bound(
      kElements, std::pair(pen, id), {}, [](const Element& e) { return std::pair(e.pen, e.id); });
  return found != kElements.end() && found->pen == pen && found->id == id ? &*found : nullptr;
}

const Element* FindElement(std::string_view name) {
  const auto found = std::ranges::lower_bound(kByName, name, {},
                                              [](uint16_t i) { return kElements[i].name; });
  return found != kByName.end() && kElements[*found].name == name ? &kElements[*found] : nullptr;
}

}  // namespace sockflow::ipfix
