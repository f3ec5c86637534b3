// SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "collector/line_buffer.h"
#include "collector/safe_text.h"

namespace sockflow::collector {

// A line of columns, one space apart. A column is as wide as it says, but what is too long for it
// is not cut: the columns that follow give up their padding until the line is back in step.
class ColumnLine {
 public:
  void Clear() { line_.Clear(), due_ = 0, columns_ = 0; }
  // For what takes no columns: colours, line ends. After it a new line of columns can Begin.
  void AppendUncounted(std::string_view text) { line_.Append(text); }
  void AppendUncountedForeign(std::string_view text) {
    line_.AdvanceTo(WriteTerminalText(text, line_.Reserve(text.size() * kMaxGrowth)));
  }
  void AppendUncountedNumber(uint64_t number) { line_.AppendNumber(number); }
  void Begin() { due_ = 0, columns_ = 0; }
  std::string_view view() const { return line_.view(); }

  void AppendLeft(std::string_view text, size_t width) {
    Separate();
    line_.Append(text);
    columns_ += text.size();
    due_ += width;
  }
  void AppendRight(std::string_view text, size_t width) {
    Separate();
    const size_t until = due_ + width;
    if (columns_ + text.size() < until) Pad(until - columns_ - text.size());
    line_.Append(text);
    columns_ += text.size();
    due_ = until;
  }
  void AppendNumber(uint64_t number, size_t width) {
    char digits[20];
    AppendRight({digits, std::to_chars(digits, digits + sizeof(digits), number).ptr}, width);
  }
  // Text that somebody else chose: escaped; "-" if there is none.
  void AppendForeign(std::string_view text, size_t width) {
    if (text.empty()) return AppendLeft("-", width);
    Separate();
    char* const begin = line_.Reserve(text.size() * kMaxGrowth);
    char* const end = WriteTerminalText(text, begin);
    columns_ += ColumnsOf({begin, end});
    line_.AdvanceTo(end);
    due_ += width;
  }

 private:
  // Brings the line to where the next column begins, at least one space on.
  void Separate() {
    if (columns_ == 0) return;
    ++due_;
    Pad(columns_ < due_ ? due_ - columns_ : 1);
  }
  void Pad(size_t count) {
    line_.AppendSpaces(count);
    columns_ += count;
  }

  LineBuffer line_;
  size_t columns_ = 0;  // of this line so far
  size_t due_ = 0;      // where they should be
};

}  // namespace sockflow::collector
