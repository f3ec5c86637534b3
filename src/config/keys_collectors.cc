// SPDX-License-Identifier: MIT
#include <algorithm>
#include <chrono>

#include "config/key_groups.h"
#include "config/values.h"

namespace sockflow::config {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kCompressionWords[] = {"none", "gzip", "zstd"};
constexpr std::string_view kRecordWords[] = {"start", "update", "end"};
constexpr std::string_view kPolicyWords[] = {kReplicate, kFailover, kHash};

std::span<const std::string_view> CompressionWords() { return kCompressionWords; }
std::span<const std::string_view> RecordWords() { return kRecordWords; }
std::span<const std::string_view> PolicyWords() { return kPolicyWords; }

constexpr std::string_view kSecureSchemes[] = {"tls", "dtls"};
constexpr std::string_view kNetworkSchemes[] = {"udp", "tcp", "sctp", "tls", "dtls"};
constexpr std::string_view kFileSchemes[] = {"file"};

RecordChoice RecordsOf(const Value& value) {
  const auto has = [&](std::string_view word) {
    return std::find(value.names.begin(), value.names.end(), word) != value.names.end();
  };
  return {.start = has("start"), .update = has("update"), .end = has("end")};
}

constexpr std::string_view kPemRule = "the path of a PEM file that this user may read";

constexpr Key kKeys[] = {
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
     .type = Type::kItems,
     .default_value = "[]",
     .text_rule = "a list of URLs, of maps with url, or of groups with policy and collectors",
     .prose = "Instead of \"collector\" above (remove that then): any number of collectors. Each is\n"
              "a URL, a map of the keys below, or a group of collectors with a policy.\n"
              "  collectors:\n"
              "    - udp://192.0.2.1\n"
              "    - url: udp://[2001:db8::1]:4739\n"
              "      profile: iana\n"
              "    - policy: failover\n"
              "      collectors: [tcp://a.example, tcp://b.example]\n"
              "    - policy: hash\n"
              "      records: [end]\n"
              "      collectors:\n"
              "        - udp://a.example\n"
              "        - url: udp://b.example\n"
              "          records: [start, end]\n"
              "    - url: file:/var/lib/sockflow/sessions\n"
              "      file: {max_seconds: 600, compression: zstd}"},
    {.name = "collectors.url",
     .text_rule = "a URL such as udp://HOST[:PORT], with an IPv6 address in brackets",
     .read = ReadUrl,
     .set_endpoint = [](EndpointConfig& e, const Value& v) { e.url = v.text; },
     .prose = "Where to send: udp://HOST, tcp://HOST, sctp://HOST, tls://HOST, dtls://HOST, each\n"
              "with :PORT or without (4739; tls and dtls: 4740); file:PATH; \"stdout:\" in quotes.\n"
              "sctp needs the kernel's module of that name."},
    {.name = "collectors.profile",
     .type = Type::kWord,
     .default_value = "process",
     .words = ipfix::ProfileNames,
     .set_collector =
         [](CollectorConfig& c, const Value& v) {
           c.profile = *ipfix::ParseProfile(ipfix::ProfileNames()[v.number]);
         },
     .prose = "What a record holds. \"sockflow fields --profile NAME\" lists the elements."},
    {.name = "collectors.fields",
     .type = Type::kNames,
     .text_rule = "names of information elements, as \"sockflow fields\" lists them",
     .read = ReadText,
     .set_collector = [](CollectorConfig& c, const Value& v) { c.fields = v.names; },
     .prose = "Instead of a profile: the elements of a record, in this order."},
    {.name = "collectors.records",
     .type = Type::kWords,
     .default_value = "[start, update, end]",
     .words = RecordWords,
     .set_collector = [](CollectorConfig& c, const Value& v) { c.records = RecordsOf(v); },
     .prose = "Which records of a session are sent. [end]: one record for each session. With updates\n"
              "each record counts what came since the one before; without, the end counts it all."},
    {.name = "collectors.tls.ca",
     .text_rule = kPemRule,
     .read = ReadPemPath,
     .schemes = kSecureSchemes,
     .set_endpoint = [](EndpointConfig& e, const Value& v) { e.tls.ca = v.text; },
     .prose = "The authorities that the collector's certificate may come from. Not given: those\n"
              "that this host trusts."},
    {.name = "collectors.tls.certificate",
     .text_rule = kPemRule,
     .read = ReadPemPath,
     .schemes = kSecureSchemes,
     .set_endpoint = [](EndpointConfig& e, const Value& v) { e.tls.certificate = v.text; },
     .prose = "The certificate that this host shows, with those between it and its authority.\n"
              "RFC 7011 11.3 asks both sides for one."},
    {.name = "collectors.tls.key",
     .text_rule = kPemRule,
     .read = ReadPemPath,
     .schemes = kSecureSchemes,
     .set_endpoint = [](EndpointConfig& e, const Value& v) { e.tls.key = v.text; },
     .prose = "The private key of that certificate."},
    {.name = "collectors.tls.server_name",
     .text_rule = "an IP address or a host name",
     .read = ReadHost,
     .schemes = kSecureSchemes,
     .set_endpoint = [](EndpointConfig& e, const Value& v) { e.tls.server_name = v.text; },
     .prose = "The name that the collector's certificate must show. Not given: the host of the URL."},
    {.name = "collectors.spool.directory",
     .text_rule = "the absolute path of a directory",
     .read = ReadDirectory,
     .schemes = kNetworkSchemes,
     .set_collector = [](CollectorConfig& c, const Value& v) { c.spool.directory = v.text; },
     .prose = "Where records wait that memory has no room for; they survive a restart. Each\n"
              "collector has a directory of its own. Not given: no spool."},
    {.name = "collectors.spool.max_bytes",
     .type = Type::kNumber,
     .default_value = "1073741824",
     .min = 1048576,
     .max = 1099511627776,
     .schemes = kNetworkSchemes,
     .set_collector = [](CollectorConfig& c, const Value& v) { c.spool.max_bytes = v.number; },
     .prose = "Most that the spool may hold; what does not fit is lost, and counted."},
    {.name = "collectors.file.max_bytes",
     .type = Type::kNumber,
     .default_value = "104857600",
     .min = 262144,
     .max = 1099511627776,
     .schemes = kFileSchemes,
     .set_collector = [](CollectorConfig& c, const Value& v) { c.file.max_bytes = v.number; },
     .prose = "The size at which the next file begins, as ls shows it."},
    {.name = "collectors.file.max_seconds",
     .type = Type::kSeconds,
     .default_value = "3600",
     .shortest = 1s,
     .longest = 744h,
     .schemes = kFileSchemes,
     .set_collector = [](CollectorConfig& c, const Value& v) { c.file.max_age = v.duration; },
     .prose = "The next file also begins at each multiple of this since 1970: 3600 is every full\n"
              "hour."},
    {.name = "collectors.file.compression",
     .type = Type::kWord,
     .default_value = "none",
     .words = CompressionWords,
     .schemes = kFileSchemes,
     .set_collector =
         [](CollectorConfig& c, const Value& v) {
           c.file.compression = static_cast<Compression>(v.number);
         },
     .prose = "How files are compressed."},
    {.name = kPolicyKey,
     .type = Type::kWord,
     .words = PolicyWords,
     .prose = "What a group does. replicate: each of its collectors gets every session, as without\n"
              "a group. failover: the first that works gets all; they have one profile and one\n"
              "queue, and only url and tls of their own. hash: each session goes to one of them,\n"
              "its start and its end to the same."},
    {.name = kMembersKey,
     .type = Type::kItems,
     .text_rule = "a list of URLs, or of maps with url",
     .prose = "The collectors of a group. Keys of the group hold for each of them that does not\n"
              "give its own and whose URL they go with."},
};

}  // namespace

std::span<const Key> CollectorKeys() { return kKeys; }

}  // namespace sockflow::config

namespace sockflow {

std::string_view ToString(Compression compression) {
  return config::kCompressionWords[static_cast<size_t>(compression)];
}

}  // namespace sockflow
