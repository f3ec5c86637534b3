// SPDX-License-Identifier: MIT
#include "agent/log_line.h"

#include <algorithm>
#include <utility>

#include "collector/safe_text.h"
#include "fmt/chrono.h"
#include "fmt/format.h"

namespace sockflow {
namespace {

using std::chrono::milliseconds;

std::string_view ColorOf(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace: return "\033[37m";
    case LogLevel::kDebug: return "\033[36m";
    case LogLevel::kInfo: return "\033[32m";
    case LogLevel::kWarning: return "\033[33m\033[1m";
    case LogLevel::kError: return "\033[31m\033[1m";
  }
  return "";
}

// The priorities of syslog(3).
int PriorityOf(LogLevel level) {
  switch (level) {
    case LogLevel::kError: return 3;
    case LogLevel::kWarning: return 4;
    case LogLevel::kInfo: return 6;
    case LogLevel::kTrace:
    case LogLevel::kDebug: return 7;
  }
  return 6;
}

int64_t MillisecondsOf(const LogLine& line) {
  return std::chrono::floor<milliseconds>(line.time.time_since_epoch()).count() % 1000;
}

std::string Text(const LogLine& line, bool colored) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(line.time);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:03} {}{}{} {}\n", fmt::localtime(seconds), MillisecondsOf(line),
                     colored ? ColorOf(line.level) : "", ToString(line.level), colored ? "\033[m" : "",
                     line.message);
}

std::string Json(const LogLine& line) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(line.time);
  std::string message(line.message.size() * collector::kMaxGrowth, '\0');
  message.resize(collector::WriteJsonText(line.message, message.data()) - message.data());
  return fmt::format("{{\"time\":\"{:%Y-%m-%dT%H:%M:%S}.{:03}Z\",\"level\":\"{}\",\"message\":\"{}\"}}\n",
                     fmt::gmtime(seconds), MillisecondsOf(line), ToString(line.level), message);
}

// The journal takes each line for a message.
std::string Journald(const LogLine& line) {
  std::string out;
  std::string_view rest = line.message;
  do {
    const size_t end = std::min(rest.find('\n'), rest.size());
    out += fmt::format("<{}>{}\n", PriorityOf(line.level), rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  } while (!rest.empty());
  return out;
}

// The message with each number that stands by itself as 0: an address or a name is not a number.
std::string KindOf(LogLevel level, std::string_view message) {
  constexpr std::string_view kBeforeWords = " (", kAfterWords = " ),;";
  std::string kind(ToString(level));
  for (size_t i = 0; i < message.size(); ++i) {
    const bool begins = i == 0 || kBeforeWords.find(message[i - 1]) != kBeforeWords.npos;
    if (begins) {
      const size_t end = std::min(message.find_first_not_of("0123456789.", i), message.size());
      if (end > i && (end == message.size() || kAfterWords.find(message[end]) != kAfterWords.npos)) {
        kind += '0';
        i = end - 1;
        continue;
      }
    }
    kind += message[i];
  }
  return kind;
}

}  // namespace

std::string Format(const LogLine& line, LogFormat format, bool colored) {
  switch (format) {
    case LogFormat::kJson: return Json(line);
    case LogFormat::kJournald: return Journald(line);
    case LogFormat::kAuto:
    case LogFormat::kText: break;
  }
  return Text(line, colored);
}

LogFormat FormatFor(const char* journal_stream, uint64_t device, uint64_t inode) {
  const bool is_journal = journal_stream != nullptr && journal_stream == fmt::format("{}:{}", device, inode);
  return is_journal ? LogFormat::kJournald : LogFormat::kText;
}

bool LogRateLimit::Passes(LogLevel level, std::string_view message, Moment now) {
  // Who asked for these wants them all.
  if (level < LogLevel::kInfo) return true;
  std::string name = KindOf(level, message);
  auto kind = kinds_.find(name);
  if (kind == kinds_.end()) {
    if (kinds_.size() >= options_.max_kinds) return true;
    kind = kinds_.emplace(std::move(name), Kind{.level = level, .begin = now}).first;
  }
  if (++kind->second.lines <= options_.most) return true;
  kind->second.last_held = message;
  return false;
}

std::vector<LogRateLimit::Report> LogRateLimit::TakeReports(Moment now) {
  std::vector<Report> reports;
  std::erase_if(kinds_, [&](const auto& entry) {
    const Kind& kind = entry.second;
    // Not the sum, which may lie beyond all time.
    if (now != Moment::max() && now - kind.begin < options_.window) return false;
    if (kind.lines > options_.most) {
      reports.push_back({kind.level, fmt::format("{} ({} more like it in {} s)", kind.last_held,
                                                 kind.lines - options_.most, options_.window.count())});
    }
    return true;
  });
  return reports;
}

}  // namespace sockflow
