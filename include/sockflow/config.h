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
#include "sockflow/compression.h"
#include "sockflow/filter_rules.h"
#include "sockflow/ipfix/template.h"
#include "sockflow/tier.h"
#include "sockflow/time.h"

namespace sockflow {

// What is logged: this and all that is more important.
enum class LogLevel : uint8_t { kTrace, kDebug, kInfo, kWarning, kError };

// As in the configuration file: "trace", "debug", ...
std::string_view ToString(LogLevel level);

// How a line of the log is written.
enum class LogFormat : uint8_t {
  kAuto,      // kJournald where standard error leads to the journal, else kText
  kText,      // local time, level, message
  kJson,      // an object
  kJournald,  // "<N>" and the message: the journal knows the time (sd-daemon(3))
};

// Where something stands, so that a later error names it, too.
struct Place {
  std::string file;  // empty: not from a file
  int line = 0;      // from 1
  std::string key;   // "collectors.tls"; on the command line the option: "--collector"

  // "FILE:LINE: KEY", or the key alone.
  std::string ToString() const;

  // Of no account: a line that moved is no other configuration.
  friend bool operator==(const Place&, const Place&) { return true; }
};

// Paths of PEM files, readable when the configuration was loaded; empty: not given.
struct TlsConfig {
  std::string ca;
  std::string certificate;  // with key, or neither
  std::string key;
  std::string server_name;  // that the certificate must show; empty: the host of the URL
  Place place;

  friend bool operator==(const TlsConfig&, const TlsConfig&) = default;
};

// One place to send to.
struct EndpointConfig {
  std::string url;  // sound and complete: "udp://127.0.0.1:4739"
  TlsConfig tls;
  Place place;

  friend bool operator==(const EndpointConfig&, const EndpointConfig&) = default;
};

// Which records of a session are sent; never none.
struct RecordChoice {
  bool start = true;
  bool update = true;  // without, the end counts all that the session carried
  bool end = true;

  friend bool operator==(const RecordChoice&, const RecordChoice&) = default;
};

// As in the configuration file: "none", "gzip", "zstd".
std::string_view ToString(Compression compression);

// Records that are encoded and queued once, for the first of its endpoints that works.
// DefaultCollector makes one.
struct CollectorConfig {
  std::vector<EndpointConfig> endpoints;  // never empty; several: policy failover
  ipfix::Profile profile{};
  std::vector<std::string> fields;  // names of elements; if there are any, instead of the profile
  RecordChoice records;

  struct Spool {
    std::string directory;  // absolute, and of one collector only; empty: no spool
    uint64_t max_bytes = 0;
    Place place;
    friend bool operator==(const Spool&, const Spool&) = default;
  } spool;

  struct File {  // where the URL is a file's
    uint64_t max_bytes = 0;
    Duration max_age{};
    Compression compression{};
    friend bool operator==(const File&, const File&) = default;
  } file;

  Place place;

  friend bool operator==(const CollectorConfig&, const CollectorConfig&) = default;
};

// With every key at its default and no endpoint yet.
CollectorConfig DefaultCollector();

struct CollectorGroup {
  enum class Policy : uint8_t {
    kReplicate,  // each of the collectors gets every session
    kHash,       // each session goes to one of them, its start and its end to the same
  };
  Policy policy = Policy::kReplicate;
  std::vector<CollectorConfig> collectors;  // never empty

  friend bool operator==(const CollectorGroup&, const CollectorGroup&) = default;
};

// OK if no two collectors are the same or claim the same thing: a spool, a file, standard output.
// The error (kInvalidArgument) holds one line for each fault, "PLACE: what is wrong".
absl::Status CheckCollectors(std::span<const CollectorGroup> groups);

// All that `sockflow run` can be told. Keys, defaults and ranges stand in src/config/keys_*.cc.
struct Config {
  // Every key at its default.
  Config();

  std::vector<std::string> interfaces;  // empty: all
  std::string source_host;  // keep sessions whose source this is; an address or a name; empty: all
  std::string packet_filter;  // of the tier pcap, in libpcap's language; empty: none

  FilterRules filter;  // besides

  // Never empty. All that replicates is one group, the first; then one for each policy hash.
  std::vector<CollectorGroup> collectors;

  struct Capture {
    std::optional<Tier> tier;  // nullopt: auto, the first that works
    uint32_t ring_buffer_bytes = 0;
    uint32_t max_sessions = 0;
    bool existing = true;
    bool count_packets = false;
    bool forwarded = false;
    friend bool operator==(const Capture&, const Capture&) = default;
  } capture;

  struct ProcessFacts {
    bool command_line = false;
    uint32_t command_line_max_bytes = 0;
    friend bool operator==(const ProcessFacts&, const ProcessFacts&) = default;
  } process;

  struct Exporter {
    Duration interval{};            // how long a record may wait for its message to fill
    uint32_t chunk_size = 0;        // most records in a message; 0: as many as fit
    Duration template_refresh{};
    uint64_t template_refresh_packets = 0;  // 0: by time only
    uint32_t max_message_bytes = 0;
    uint32_t observation_domain = 0;
    Duration reconnect_interval{};   // shortest time between two attempts to reach a collector
    uint32_t queue_bytes = 0;        // memory for records that wait, for each collector
    uint32_t burst_messages = 0;     // most datagrams sent back to back; 0: no limit
    uint32_t first_sequence = 0;
    Duration shutdown_time{};        // how long the end may take to send what waits
    Duration active_timeout{};       // of updates of sessions that go on; 0: none
    Duration statistics_interval{};  // of options records; 0: none
    std::string domain_name;         // of the observation domain; empty: the name of the host
    uint32_t pen = 0;                // for elements of our own; 0: they are not sent
    friend bool operator==(const Exporter&, const Exporter&) = default;
  } exporter;

  struct Kubernetes {
    bool enabled = false;
    bool from_kubelet = false;  // else from the API server
    std::string api_server;     // "https://HOST:PORT"; empty: the one of the cluster that we run in
    std::string node_name;      // empty: as the environment tells, else the name of the host
    std::string token_file;     // empty: the service account's, in a cluster
    std::string ca_file;        // empty: the service account's, in a cluster
    std::vector<std::string> labels;
    Duration wait{};  // for the names of a pod that is not known yet
    Place place{.key = "kubernetes.enabled"};
    friend bool operator==(const Kubernetes&, const Kubernetes&) = default;
  } kubernetes;

  struct Metrics {
    std::string listen;  // "127.0.0.1:9841", "[::]:9841", ":9841" (all addresses); empty: nowhere
    Place place{.key = "metrics.listen"};
    friend bool operator==(const Metrics&, const Metrics&) = default;
  } metrics;

  struct Log {
    LogLevel level{};
    LogFormat format{};
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
absl::StatusOr<CollectorConfig> ParseCollectorUrl(std::string_view text);  // the rest: defaults
absl::StatusOr<std::vector<std::string>> ParseInterfaces(std::string_view text);  // "any" -> none

// The documented default configuration: config.example.yaml.
std::string ExampleConfig();

}  // namespace sockflow
