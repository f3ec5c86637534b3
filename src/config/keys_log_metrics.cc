// SPDX-License-Identifier: MIT
#include <chrono>

#include "config/key_groups.h"
#include "config/values.h"

namespace sockflow::config {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kLevelWords[] = {"trace", "debug", "info", "warning", "error"};
constexpr std::string_view kFormatWords[] = {"auto", "text", "json", "journald"};

std::span<const std::string_view> LevelWords() { return kLevelWords; }
std::span<const std::string_view> FormatWords() { return kFormatWords; }

constexpr Key kKeys[] = {
    {.name = "metrics.listen",
     .default_value = "\"\"",
     .text_rule = "HOST:PORT with an IPv6 address in brackets, or :PORT, or nothing",
     .read = ReadListenAddress,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.metrics.listen = v.text; },
     .prose = "Where metrics for Prometheus are served, in plain HTTP and to everybody who can\n"
              "reach the address: 127.0.0.1:9841, [::1]:9841; :9841 is every address of this host.\n"
              "/metrics tells the figures, /healthz whether the agent works, /readyz whether records\n"
              "can leave. Nothing: not served."},
    {.name = "log.level",
     .type = Type::kWord,
     .default_value = "info",
     .words = LevelWords,
     .set = [](Draft& d, const Value& v) { d.config.log.level = static_cast<LogLevel>(v.number); },
     .prose = "The least important messages that are logged."},
    {.name = "log.format",
     .type = Type::kWord,
     .default_value = "auto",
     .words = FormatWords,
     .set = [](Draft& d, const Value& v) { d.config.log.format = static_cast<LogFormat>(v.number); },
     .prose = "How lines are written. json: one object a line, with time, level and message.\n"
              "journald: with a priority in front, <N>, and without time. auto: journald where\n"
              "standard error leads to the journal, else text."},
    {.name = "log.stats_interval_seconds",
     .type = Type::kSeconds,
     .default_value = "60",
     .shortest = 0s,
     .longest = 24h,
     .set = [](Draft& d, const Value& v) { d.config.log.stats_interval = v.duration; },
     .prose = "How often statistics and losses may be logged. 0: never."},
};

}  // namespace

std::span<const Key> LogAndMetricsKeys() { return kKeys; }

}  // namespace sockflow::config

namespace sockflow {

std::string_view ToString(LogLevel level) {
  return config::kLevelWords[static_cast<size_t>(level)];
}

absl::StatusOr<LogLevel> ParseLogLevel(std::string_view text) {
  const absl::StatusOr<size_t> word = config::ReadWord(text, config::kLevelWords);
  if (!word.ok()) return word.status();
  return static_cast<LogLevel>(*word);
}

}  // namespace sockflow
