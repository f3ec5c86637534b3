// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sockflow/ip_address.h"
#include "sockflow/ipfix/element.h"
#include "sockflow/time.h"

namespace sockflow::ipfix {

// Typed access to the octets of a received value. Each function returns nullopt when the octets
// cannot be a value of that kind, so that no length a sender may choose is trusted.

// Big-endian, 1 to 8 octets: reduced-size encoding is allowed (RFC 7011 6.2).
std::optional<uint64_t> ReadUnsigned(std::span<const uint8_t> octets);
// As above, in two's complement.
std::optional<int64_t> ReadSigned(std::span<const uint8_t> octets);
// IEEE 754, 4 or 8 octets.
std::optional<double> ReadFloat(std::span<const uint8_t> octets);
// RFC 7011 6.1.5: 1 is true, 2 is false, anything else is no boolean.
std::optional<bool> ReadBoolean(std::span<const uint8_t> octets);
// The four dateTime types; nullopt for any other type, a wrong length or a time after the year
// 2262, which Time cannot hold.
std::optional<Time> ReadTime(Type type, std::span<const uint8_t> octets);
// 4 or 16 octets. An IPv4-mapped IPv6 address becomes IPv4, as everywhere in sockflow.
std::optional<IpAddress> ReadAddress(std::span<const uint8_t> octets);
// The octets up to the NULs at the end, with which some exporters pad strings of fixed length. They
// are what the sender chose: not always UTF-8, perhaps with control characters.
std::string_view ReadString(std::span<const uint8_t> octets);

// What a rendered value is to JSON. The text of numbers and booleans can stand in JSON as it is;
// that of strings is neither quoted nor escaped (see AppendUtf8).
enum class ValueKind : uint8_t { kNumber, kBoolean, kString };

// Appends a value as people read it: numbers in decimal, addresses in their usual notation, times
// as ISO 8601 in UTC with the resolution of their type ("2026-11-21T09:26:52.123Z"), MAC addresses
// with colons, booleans as true or false, octet arrays and structured data in hexadecimal, strings
// as they are. An unknown element (nullptr) and a value that does not fit its type are shown in
// hexadecimal; so are integers of more than 8 octets. Not-a-number and infinity are strings.
ValueKind AppendValue(const Element* element, std::span<const uint8_t> octets, std::string& out);

// Appends `octets` as valid UTF-8: each maximal invalid sequence and each NUL becomes U+FFFD.
void AppendUtf8(std::string_view octets, std::string& out);

}  // namespace sockflow::ipfix
