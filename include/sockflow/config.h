// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sockflow/ipfix/template.h"
#include "sockflow/tier.h"
#include "sockflow/time.h"

namespace sockflow {

// What is logged: this and all that is more important.
enum class LogLevel : uint8_t { kTrace, kDebug, kInfo, kWarning, kError };

// As in the configuration file: "trace", "debug", ...
std::string_view ToString(LogLevel level);

// One place that records are sent to.
struct CollectorConfig {
  std::string url;  // sound and complete: "udp://127.0.0.1:4739"
  ipfix::Profile profile = ipfix::Profile::kProcess;

  friend bool operator==(const CollectorConfig&, const CollectorConfig&) = default;
};

// All that `sockflow run` can be told. Keys, defaults and ranges stand in src/config/keys.cc.
struct Config {
  // Every key at its default.
  Config();

  std::string interface;    // empty: all
  std::string source_host;  // keep sessions whose source this is; an address or a name; empty: all

  std::vector<CollectorConfig> collectors;  // never empty

  struct Capture {
    std::optional<Tier> tier;  // nullopt: auto, the first that works
    uint32_t ring_buffer_bytes = 0;
    uint32_t max_sessions = 0;
    friend bool operator==(const Capture&, const Capture&) = default;
  } capture;

  struct Exporter {
    Duration interval{};            // how long a record may wait for its message to fill
    uint32_t chunk_size = 0;        // most records in a message; 0: as many as fit
    Duration template_refresh{};
    uint64_t template_refresh_packets = 0;  // 0: by time only
    uint32_t max_message_bytes = 0;
    uint32_t observation_domain = 0;
    uint32_t queue_bytes = 0;       // of messages that wait, for each collector
    Duration reconnect_interval{};  // shortest time between two attempts to reach a collector
    uint32_t burst_messages = 0;    // most datagrams sent back to back; 0: no limit
    uint32_t first_sequence = 0;
    Duration shutdown_time{};       // how long the end may take to send what waits
    friend bool operator==(const Exporter&, const Exporter&) = default;
  } exporter;

  struct Log {
    LogLevel level{};
    Duration stats_interval{};  // 0: never
    friend bool operator==(const Log&, const Log&) = default;
  } log;

  friend bool operator==(const Config&, const Config&) = default;
};

struct LoadedConfig {
  Config config;
  // For the log: where the configuration comes from, and what is odd but no error.
  std::vector<std::string> notes;
};

// Where a configuration is looked for if none is named.
std::span<const std::string_view> ConfigSearchPath();

// The file to read: `named` if given, else the first of `search` that exists, else none (defaults).
// It is an error if a named file does not exist, and if a file exists but cannot be read.
absl::StatusOr<std::optional<std::string>> FindConfigFile(
    std::optional<std::string_view> named,
    std::span<const std::string_view> search = ConfigSearchPath());

// Reads a file; nullopt: the defaults. The error (kInvalidArgument) holds one line for each fault,
// "FILE:LINE: KEY: what is wrong; what is allowed".
absl::StatusOr<LoadedConfig> LoadConfig(const std::optional<std::string>& file);

// The same from memory; `file` is for messages.
absl::StatusOr<LoadedConfig> ParseConfig(std::string_view file, std::string_view text);

// Single values, as in the file and on the command line. The error says what is wrong and what is
// allowed; which key, option or line it was is for the caller to add.
absl::StatusOr<std::optional<Tier>> ParseTier(std::string_view text);  // "auto" -> nullopt
absl::StatusOr<LogLevel> ParseLogLevel(std::string_view text);
absl::StatusOr<ipfix::Profile> ParseProfileName(std::string_view text);
absl::StatusOr<std::string> ParseCollectorUrl(std::string_view text);   // -> complete URL
absl::StatusOr<std::string> ParseInterfaceName(std::string_view text);  // "any" -> ""

// The documented default configuration: config.example.yaml.
std::string ExampleConfig();

}  // namespace sockflow
