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

// A session with a value in every member: active, IPv4, ended in an orderly way.
Session ExampleSession();

}  // namespace sockflow::ipfix
