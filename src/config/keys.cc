// SPDX-License-Identifier: MIT
#include "config/keys.h"

#include <algorithm>
#include <array>

#include "config/values.h"

namespace sockflow::config {
namespace {

// "auto", then the tiers in their order.
constexpr std::string_view kTierWords[] = {"auto", "fentry", "kprobe", "tracepoint", "pcap"};

std::optional<Tier> TierOfWord(size_t word) {
  if (word == 0) return std::nullopt;
  return static_cast<Tier>(word - 1);
}

constexpr std::string_view kLevelWords[] = {"trace", "debug", "info", "warning", "error"};

std::span<const std::string_view> TierWords() { return kTierWords; }
std::span<const std::string_view> LevelWords() { return kLevelWords; }

// Keys of a section stand together: config.example.yaml follows this order.
constexpr Key kKeys[] = {
    {.name = "interface",
     .default_value = "any",
     .text_rule = "the name of a network interface, or any",
     .read = ParseInterfaceName,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.interface = v.text; },
     .prose = "The network interface whose sessions are exported. any, or nothing: all of them."},
    {.name = "bpf.source_host",
     .default_value = "\" \"",
     .text_rule = "an IP address or a host name, or nothing",
     .read = ReadSourceHost,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.source_host = v.text; },
     .prose = "Exports only sessions whose source (the side that connected) is this host: an IP\n"
              "address or a host name. Nothing: all sessions."},
    {.name = "collector.host",
     .default_value = "127.0.0.1",
     .text_rule = "an IP address or a host name",
     .read = ReadHost,
     .set = [](Draft& d, const Value& v) { d.collector_host = v.text; },
     .prose = "The collector that records are sent to, over UDP: an IP address or a host name."},
    {.name = "collector.port",
     .type = Type::kNumber,
     .default_value = "4739",
     .min = 1,
     .max = 65535,
     .set = [](Draft& d, const Value& v) { d.collector_port = static_cast<uint16_t>(v.number); },
     .prose = "The UDP port of that collector."},
    {.name = "collectors",
     .type = Type::kList,
     .default_value = "[]",
     .prose = "Instead of \"collector\" above (remove that then): any number of collectors, each\n"
              "with its own profile, or as a URL alone.\n"
              "  collectors:\n"
              "    - url: udp://192.0.2.1:4739\n"
              "      profile: iana\n"
              "    - udp://[2001:db8::1]"},
    {.name = "collectors.url",
     .text_rule = "udp://HOST[:PORT] or tcp://HOST[:PORT], an IPv6 address in brackets",
     .read = ParseCollectorUrl,
     .prose = "Where to send. The port is 4739 unless given."},
    {.name = "collectors.profile",
     .type = Type::kWord,
     .default_value = "process",
     .words = ipfix::ProfileNames,
     .prose = "What a record holds: the session with its process, or only elements of the IANA\n"
              "registry."},
    {.name = "capture.tier",
     .type = Type::kWord,
     .default_value = "auto",
     .words = TierWords,
     .set = [](Draft& d, const Value& v) { d.config.capture.tier = TierOfWord(v.number); },
     .prose = "How sessions are captured. auto takes the first of the others that works on this\n"
              "kernel, in the order below, and says which."},
    {.name = "capture.ring_buffer_bytes",
     .type = Type::kNumber,
     .default_value = "4194304",
     .min = 65536,
     .max = 1073741824,
     .power_of_two = true,  // and so a multiple of any page size
     .set =
         [](Draft& d, const Value& v) {
           d.config.capture.ring_buffer_bytes = static_cast<uint32_t>(v.number);
         },
     .prose = "Size of the buffer between kernel and agent: a larger one bridges longer bursts."},
    {.name = "capture.max_sessions",
     .type = Type::kNumber,
     .default_value = "262144",
     .min = 1024,
     .max = 16777216,
     .set =
         [](Draft& d, const Value& v) {
           d.config.capture.max_sessions = static_cast<uint32_t>(v.number);
         },
     .prose = "Sessions remembered at once; with more than these open, the oldest are forgotten."},
    {.name = "exporter.interval_seconds",
     .type = Type::kSeconds,
     .default_value = "1",
     .min = 0,
     .max = 3600,
     .set = [](Draft& d, const Value& v) { d.config.exporter.interval = v.duration; },
     .prose = "How long a record may wait for its message to fill. 0: sent at once."},
    {.name = "exporter.chunk_size",
     .type = Type::kNumber,
     .default_value = "0",
     .min = 0,
     .max = 65535,
     .set =
         [](Draft& d, const Value& v) {
           d.config.exporter.chunk_size = static_cast<uint32_t>(v.number);
         },
     .prose = "Most records in one message. 0: as many as fit."},
    {.name = "exporter.template_refresh_seconds",
     .type = Type::kSeconds,
     .default_value = "30",
     .min = 1,
     .max = 86400,
     .set = [](Draft& d, const Value& v) { d.config.exporter.template_refresh = v.duration; },
     .prose = "How often the templates are sent again over UDP. A collector that starts late can\n"
              "read nothing before they come."},
    {.name = "exporter.template_refresh_packets",
     .type = Type::kNumber,
     .default_value = "0",
     .min = 0,
     .max = 4294967295,
     .set = [](Draft& d, const Value& v) { d.config.exporter.template_refresh_packets = v.number; },
     .prose = "Sends the templates again after so many messages, too. 0: by time only."},
    {.name = "exporter.max_message_bytes",
     .type = Type::kNumber,
     .default_value = "1400",
     .min = 512,
     .max = 65535,
     .set =
         [](Draft& d, const Value& v) {
           d.config.exporter.max_message_bytes = static_cast<uint32_t>(v.number);
         },
     .prose = "Longest message. Over UDP it must fit the path MTU less 28 octets (IPv6: 48),\n"
              "because it is never fragmented."},
    {.name = "exporter.observation_domain",
     .type = Type::kNumber,
     .default_value = "1",
     .min = 0,
     .max = 4294967295,
     .set =
         [](Draft& d, const Value& v) {
           d.config.exporter.observation_domain = static_cast<uint32_t>(v.number);
         },
     .prose = "The observation domain id that tells exporters behind one address apart."},
    {.name = "exporter.queue_bytes",
     .type = Type::kNumber,
     .default_value = "8388608",
     .min = 65536,
     .max = 1073741824,
     .set =
         [](Draft& d, const Value& v) {
           d.config.exporter.queue_bytes = static_cast<uint32_t>(v.number);
         },
     .prose = "Memory for records that wait for a collector that is slow or away, for each collector.\n"
              "What does not fit is lost and counted."},
    {.name = "exporter.reconnect_seconds",
     .type = Type::kSeconds,
     .default_value = "60",
     .min = 0,
     .max = 86400,
     .set = [](Draft& d, const Value& v) { d.config.exporter.reconnect_interval = v.duration; },
     .prose = "Shortest time between two attempts to reach a collector (RFC 7011 10.4.4)."},
    {.name = "exporter.burst_messages",
     .type = Type::kNumber,
     .default_value = "16",
     .min = 0,
     .max = 1024,
     .set =
         [](Draft& d, const Value& v) {
           d.config.exporter.burst_messages = static_cast<uint32_t>(v.number);
         },
     .prose = "Most messages sent back to back over UDP: a collector must have room for so many in its\n"
              "receive buffer. A millisecond passes between two bursts. 0: no limit."},
    {.name = "exporter.first_sequence",
     .type = Type::kNumber,
     .default_value = "0",
     .min = 0,
     .max = 4294967295,
     .set =
         [](Draft& d, const Value& v) {
           d.config.exporter.first_sequence = static_cast<uint32_t>(v.number);
         },
     .prose = "Sequence number of the first message, to test how a collector counts past 4294967295.\n"
              "RFC 7011 wants 0."},
    {.name = "exporter.shutdown_seconds",
     .type = Type::kSeconds,
     .default_value = "5",
     .min = 0,
     .max = 3600,
     .set = [](Draft& d, const Value& v) { d.config.exporter.shutdown_time = v.duration; },
     .prose = "How long the agent may take at its end to send what waits."},
    {.name = "log.level",
     .type = Type::kWord,
     .default_value = "info",
     .words = LevelWords,
     .set = [](Draft& d, const Value& v) { d.config.log.level = static_cast<LogLevel>(v.number); },
     .prose = "The least important messages that are logged."},
    {.name = "log.stats_interval_seconds",
     .type = Type::kSeconds,
     .default_value = "60",
     .min = 0,
     .max = 86400,
     .set = [](Draft& d, const Value& v) { d.config.log.stats_interval = v.duration; },
     .prose = "How often statistics and losses may be logged. 0: never."},
};

}  // namespace

std::span<const Key> Keys() { return kKeys; }

const Key* FindKey(std::string_view name) {
  const auto* key = std::find_if(std::begin(kKeys), std::end(kKeys),
                                 [&](const Key& k) { return k.name == name; });
  return key == std::end(kKeys) ? nullptr : key;
}

bool IsSection(std::string_view name) {
  return std::any_of(std::begin(kKeys), std::end(kKeys), [&](const Key& key) {
    return key.name.size() > name.size() && key.name.starts_with(name) &&
           key.name[name.size()] == '.';
  });
}

}  // namespace sockflow::config

namespace sockflow {

std::string_view ToString(LogLevel level) {
  return config::kLevelWords[static_cast<size_t>(level)];
}

absl::StatusOr<std::optional<Tier>> ParseTier(std::string_view text) {
  const absl::StatusOr<size_t> word = config::ReadWord(text, config::kTierWords);
  if (!word.ok()) return word.status();
  return config::TierOfWord(*word);
}

absl::StatusOr<LogLevel> ParseLogLevel(std::string_view text) {
  const absl::StatusOr<size_t> word = config::ReadWord(text, config::kLevelWords);
  if (!word.ok()) return word.status();
  return static_cast<LogLevel>(*word);
}

}  // namespace sockflow
