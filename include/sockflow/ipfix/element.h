// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace sockflow::ipfix {

// Abstract data types, RFC 7012 3.1, with the numbers of the IANA registry "IPFIX Information
// Element Data Types" (RFC 5610 3.1 informationElementDataType).
enum class Type : uint8_t {
  kOctetArray = 0,
  kUnsigned8 = 1,
  kUnsigned16 = 2,
  kUnsigned32 = 3,
  kUnsigned64 = 4,
  kSigned8 = 5,
  kSigned16 = 6,
  kSigned32 = 7,
  kSigned64 = 8,
  kFloat32 = 9,
  kFloat64 = 10,
  kBoolean = 11,
  kMacAddress = 12,
  kString = 13,
  kDateTimeSeconds = 14,
  kDateTimeMilliseconds = 15,
  kDateTimeMicroseconds = 16,
  kDateTimeNanoseconds = 17,
  kIpv4Address = 18,
  kIpv6Address = 19,
  kBasicList = 20,
  kSubTemplateList = 21,
  kSubTemplateMultiList = 22,
  kUnsigned256 = 23,
};

// RFC 5610 3.6 informationElementSemantics.
enum class Semantics : uint8_t {
  kDefault = 0,
  kQuantity = 1,
  kTotalCounter = 2,
  kDeltaCounter = 3,
  kIdentifier = 4,
  kFlags = 5,
  kList = 6,
  kSnmpCounter = 7,
  kSnmpGauge = 8,
};

enum class ElementStatus : uint8_t { kCurrent, kDeprecated };

// RFC 7011 7: in a template, the length of a field whose length stands before each value.
inline constexpr uint16_t kVariableLength = 65535;

// Private enterprise numbers.
inline constexpr uint32_t kIana = 0;
inline constexpr uint32_t kReverse = 29305;  // RFC 5103 6.1: the reverse of an IANA element
inline constexpr uint32_t kNtop = 35632;
inline constexpr uint32_t kAntrea = 56506;
// Stands for elements of our own, which have no number until whoever runs sockflow configures one: the
// encoder puts that in its place. IANA has reserved this one, so that it never arrives.
inline constexpr uint32_t kOwn = 4294967295;

// One information element: all that is known of it anywhere in the program.
struct Element {
  uint32_t pen = kIana;
  uint16_t id = 0;
  std::string_view name;
  Type type = Type::kOctetArray;
  Semantics semantics = Semantics::kDefault;
  std::string_view units;  // "octets", "milliseconds", ...; empty if none
  ElementStatus status = ElementStatus::kCurrent;
  // One sentence, for RFC 5610 informationElementDescription; empty for IANA's.
  std::string_view description;
};

// "unsigned64", "deltaCounter", "current": the registry's words.
std::string_view ToString(Type type);
std::string_view ToString(Semantics semantics);
std::string_view ToString(ElementStatus status);

// The number that RFC 5610 3.7 gives to units; 0 (none) if it has none for them.
uint16_t UnitsNumber(std::string_view units);

// The length in octets that RFC 7011 6.1 gives the type; kVariableLength for octetArray, string and
// the list types.
uint16_t NativeLength(Type type);

// True if a template may give a field of this type that length (RFC 7011 6.2 reduced-size encoding;
// any length for strings and octet arrays).
bool IsLegalLength(Type type, uint16_t length);

// Every element that the program knows, ordered by pen, then id.
std::span<const Element> AllElements();

// nullptr if unknown. The reverse of an IANA element (RFC 5103) is named like it, with "reverse"
// before: "reverseOctetDeltaCount".
const Element* FindElement(uint32_t pen, uint16_t id);
const Element* FindElement(std::string_view name);

}  // namespace sockflow::ipfix
