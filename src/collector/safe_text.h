// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

namespace sockflow::collector {

// Strings in flow records are what any process on any host chose to call itself, so nothing of
// them may reach a JSON reader or a terminal unexamined. Both functions write at `out`, which must
// have room for kMaxGrowth octets for each octet of `text`, and return the end of what they wrote.

inline constexpr size_t kMaxGrowth = 8;

// The inside of a JSON string (RFC 8259 7), without the quotes. Besides what JSON demands, escapes
// as \uXXXX all controls (C0, DEL, C1), the line separators U+2028 and U+2029 and whatever is
// invisible or changes the direction of text, so that a line is safe to show on a terminal too.
// Each octet that is not UTF-8 becomes U+FFFD.
char* WriteJsonText(std::string_view text, char* out);

// For a terminal. The same characters become \n, \r, \t, \xHH (one octet; also what is not UTF-8)
// or \u{H...}; a backslash becomes two and a quote \", so that the original can be told.
char* WriteTerminalText(std::string_view text, char* out);

// The columns that `text`, written by WriteTerminalText, takes: one for each character. (East Asian
// wide characters take two on most terminals; a column more or less is not worth a table.)
size_t ColumnsOf(std::string_view text);

}  // namespace sockflow::collector
