// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sockflow/config.h"

namespace sockflow {

// One line of the log, before it is written in some format.
struct LogLine {
  std::chrono::system_clock::time_point time;
  LogLevel level = LogLevel::kInfo;
  std::string_view message;  // any octets
};

// The octets of a line, with its newline. `format` is not kAuto. `colored`: kText with its level in color.
std::string Format(const LogLine& line, LogFormat format, bool colored = false);

// What kAuto means for a standard error with this device and inode: the journal, where JOURNAL_STREAM says
// so (systemd.exec(5)), "DEVICE:INODE"; null: not set.
LogFormat FormatFor(const char* journal_stream, uint64_t device, uint64_t inode);

// Keeps a message that comes again and again from filling the log. Messages are of one kind if they differ
// in numbers alone: those that name different collectors, files or keys do not. Knows no clock.
class LogRateLimit {
 public:
  using Moment = std::chrono::steady_clock::time_point;

  struct Options {
    uint64_t most = 60;                   // lines of a kind
    std::chrono::seconds window{60};      // from its first line on
    size_t max_kinds = 256;               // remembered; what is beyond that passes
  };
  // Lines that were held back: their number, and the last of them.
  struct Report {
    LogLevel level;
    std::string message;
  };

  explicit LogRateLimit(Options options) : options_(options) {}

  // Whether the line may be written.
  bool Passes(LogLevel level, std::string_view message, Moment now);
  // Of windows that are over at this time (Moment::max(): all): lines that tell what was held back.
  std::vector<Report> TakeReports(Moment now);

 private:
  struct Kind {
    LogLevel level;
    Moment begin;
    uint64_t lines = 0;
    std::string last_held;
  };

  Options options_;
  std::map<std::string, Kind, std::less<>> kinds_;
};

}  // namespace sockflow
