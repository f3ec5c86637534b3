// SPDX-License-Identifier: MIT
#include "sockflow/command_line.h"

#include <algorithm>

namespace sockflow {

std::string CommandLineText(std::string_view arguments, bool cut) {
  if (cut) {
    size_t end = arguments.size() - std::min(arguments.size(), kCutMark.size());
    // The octet there begins a character, unless it continues one (10xxxxxx, RFC 3629 3).
    for (int back = 0; back < 3 && end > 0 && (arguments[end] & 0xC0) == 0x80; ++back) --end;
    arguments = arguments.substr(0, end);
  } else {
    // Programs that overwrite their arguments (setproctitle) leave NULs behind.
    while (!arguments.empty() && arguments.back() == '\0') arguments.remove_suffix(1);
  }
  std::string text(arguments);
  std::replace(text.begin(), text.end(), '\0', ' ');
  if (cut) text += kCutMark;
  return text;
}

}  // namespace sockflow
