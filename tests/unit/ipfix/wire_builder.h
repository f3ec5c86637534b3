// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sockflow/ipfix/template.h"
#include "sockflow/session.h"

namespace sockflow::ipfix {

using Bytes = std::vector<uint8_t>;

// "0001 ff" as octets.
Bytes Hex(std::string_view digits);

// A message with correct lengths of the given sets, each in hexadecimal: its id, then its contents
// without the length. domain 7, export time 1.
Bytes MakeMessage(const std::vector<std::string_view>& sets, uint32_t sequence = 0);

// Template 256: sourceTransportPort in two octets. Template 257: a string, then ipVersion.
inline constexpr std::string_view kPortTemplate = "0002 0100 0001 0007 0002";
inline constexpr std::string_view kStringTemplate = "0002 0101 0002 0060 ffff 003c 0001";

// A session with a value in every member: active, IPv4, ended in an orderly way.
Session ExampleSession();

}  // namespace sockflow::ipfix
