// SPDX-License-Identifier: MIT
#include <chrono>

#include "config/key_groups.h"
#include "config/values.h"

namespace sockflow::config {
namespace {

using namespace std::chrono_literals;

constexpr Key kKeys[] = {
    {.name = "exporter.interval_seconds",
     .type = Type::kSeconds,
     .default_value = "1",
     .shortest = 0s,
     .longest = 1h,
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
     .shortest = 1s,
     .longest = 24h,
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
    {.name = "exporter.reconnect_seconds",
     .type = Type::kSeconds,
     .default_value = "60",
     .shortest = 100ms,
     .longest = 24h,
     .set = [](Draft& d, const Value& v) { d.config.exporter.reconnect_interval = v.duration; },
     .prose = "How long after one attempt to connect the next may follow. RFC 7011 10.4.4 asks for\n"
              "at least a minute by default."},
    {.name = "exporter.queue_bytes",
     .type = Type::kNumber,
     .default_value = "8388608",
     .min = 65536,
     .max = 1073741824,
     .set =
         [](Draft& d, const Value& v) {
           d.config.exporter.queue_bytes = static_cast<uint32_t>(v.number);
         },
     .prose = "Memory for records that wait to be sent, for each collector. What does not fit is\n"
              "lost, and counted."},
    {.name = "exporter.burst_messages",
     .type = Type::kNumber,
     .default_value = "16",
     .min = 0,
     .max = 1024,
     .set =
         [](Draft& d, const Value& v) {
           d.config.exporter.burst_messages = static_cast<uint32_t>(v.number);
         },
     .prose = "Most messages sent back to back over UDP: a collector must have room for so many\n"
              "in its receive buffer. A millisecond passes between two bursts; where more come\n"
              "in than leave so, bursts grow to 64. 0: no limit."},
    {.name = "exporter.shutdown_seconds",
     .type = Type::kSeconds,
     .default_value = "5",
     .shortest = 0s,
     .longest = 1h,
     .set = [](Draft& d, const Value& v) { d.config.exporter.shutdown_time = v.duration; },
     .prose = "How long the end of the agent may take to send what still waits."},
    {.name = "exporter.active_timeout_seconds",
     .type = Type::kSeconds,
     .default_value = "300",
     .shortest = 0s,
     .longest = 24h,
     .set = [](Draft& d, const Value& v) { d.config.exporter.active_timeout = v.duration; },
     .prose = "How often a session that goes on is told of, with what it carried since the record\n"
              "before (firewallEvent 5, flowEndReason 2). It may come late by a thirtieth. 0: never."},
    {.name = "exporter.statistics_seconds",
     .type = Type::kSeconds,
     .default_value = "60",
     .shortest = 0s,
     .longest = 24h,
     .set = [](Draft& d, const Value& v) { d.config.exporter.statistics_interval = v.duration; },
     .prose = "How often a collector is sent the statistics of the exporter: what was sent, what\n"
              "was lost and why (options records). 0: never."},
    {.name = "exporter.domain_name",
     .default_value = "\"\"",
     .text_rule = "a name of up to 255 octets without control characters, or nothing",
     .read = ReadDomainName,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.exporter.domain_name = v.text; },
     .prose = "The name of the observation domain (observationDomainName). Nothing: the name of\n"
              "this host."},
    {.name = "exporter.pen",
     .type = Type::kNumber,
     .default_value = "0",
     .min = 0,
     .max = 4294967295,
     .check = CheckPen,
     .set =
         [](Draft& d, const Value& v) {
           d.config.exporter.pen = static_cast<uint32_t>(v.number);
         },
     .prose = "Your private enterprise number, for elements that no registry has. 0: they are not\n"
              "sent."},
    {.name = "exporter.first_sequence",
     .type = Type::kNumber,
     .default_value = "0",
     .min = 0,
     .max = 4294967295,
     .set =
         [](Draft& d, const Value& v) {
           d.config.exporter.first_sequence = static_cast<uint32_t>(v.number);
         },
     .prose = "Sequence number of the first message, to test how a collector counts past\n"
              "4294967295. RFC 7011 wants 0."},
};

}  // namespace

std::span<const Key> ExporterKeys() { return kKeys; }

}  // namespace sockflow::config
