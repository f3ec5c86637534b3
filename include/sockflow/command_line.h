// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sockflow {

// Stands for what is missing: at the end of a command line, at the start of a path. (An absolute path
// begins with "/", so this cannot be mistaken.)
inline constexpr std::string_view kCutMark = "...";

// Most octets of a command line that are ever asked for.
inline constexpr size_t kLongestCommandLine = 1024;

// The arguments of a process as one text: single spaces between them. `arguments` each end with a NUL,
// as in /proc/PID/cmdline (proc(5)). If `cut`, more followed: the end makes room for kCutMark, so that the
// text is never longer than `arguments`, and a UTF-8 character is not left in halves. Other octets stay
// as they are: who shows them escapes them.
std::string CommandLineText(std::string_view arguments, bool cut);

}  // namespace sockflow
