// SPDX-License-Identifier: MIT
#include "agent/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>

#include "agent/log_line.h"
#include "spdlog/sinks/sink.h"
#include "spdlog/spdlog.h"

namespace sockflow {
namespace {

LogFormat Chosen(LogFormat format) {
  if (format != LogFormat::kAuto) return format;
  struct stat info{};
  if (fstat(STDERR_FILENO, &info) != 0) return LogFormat::kText;
  return FormatFor(std::getenv("JOURNAL_STREAM"), info.st_dev, info.st_ino);
}

void WriteToStandardError(std::string_view octets) {
  while (!octets.empty()) {
    const ssize_t written = write(STDERR_FILENO, octets.data(), octets.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // there is nobody to tell
    octets.remove_prefix(static_cast<size_t>(written));
  }
}

LogLevel LevelOf(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace: return LogLevel::kTrace;
    case spdlog::level::debug: return LogLevel::kDebug;
    case spdlog::level::info: return LogLevel::kInfo;
    case spdlog::level::warn: return LogLevel::kWarning;
    default: return LogLevel::kError;
  }
}

spdlog::level::level_enum LevelOf(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace: return spdlog::level::trace;
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::info;
}

// Formats itself: what spdlog's patterns make is no JSON.
class Sink final : public spdlog::sinks::sink {
 public:
  ~Sink() override { Report(LogRateLimit::Moment::max()); }

  void SetFormat(LogFormat format) {
    const std::lock_guard lock(mutex_);
    format_ = Chosen(format);
    colored_ = isatty(STDERR_FILENO) != 0;
  }

  void log(const spdlog::details::log_msg& message) override {
    const std::lock_guard lock(mutex_);
    const auto now = LogRateLimit::Moment::clock::now();
    Report(now);
    const std::string_view text(message.payload.data(), message.payload.size());
    const LogLevel level = LevelOf(message.level);
    if (limit_.Passes(level, text, now)) Write({message.time, level, text});
  }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

 private:
  void Report(LogRateLimit::Moment now) {
    for (const LogRateLimit::Report& report : limit_.TakeReports(now)) {
      Write({std::chrono::system_clock::now(), report.level, report.message});
    }
  }
  void Write(const LogLine& line) { WriteToStandardError(Format(line, format_, colored_)); }

  std::mutex mutex_;
  LogFormat format_ = LogFormat::kText;
  bool colored_ = false;
  LogRateLimit limit_{{}};
};

}  // namespace

void SetUpLog(LogLevel level, LogFormat format) {
  static const auto sink = std::make_shared<Sink>();
  static const auto logger = std::make_shared<spdlog::logger>("sockflow", sink);
  sink->SetFormat(format);
  logger->set_level(LevelOf(level));
  spdlog::set_default_logger(logger);
}

void ComplainAtStart(std::string_view text) {
  if (Chosen(LogFormat::kAuto) == LogFormat::kJournald) {
    WriteToStandardError(Format({.level = LogLevel::kError, .message = text}, LogFormat::kJournald));
  } else {
    WriteToStandardError(std::string(text) + "\n");
  }
}

}  // namespace sockflow
