// SPDX-License-Identifier: MIT
#include "config/keys.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "config/values.h"
#include "sockflow/command_line.h"

namespace sockflow::config {
namespace {

using namespace std::chrono_literals;

// "auto", then the tiers in their order.
constexpr std::string_view kTierWords[] = {"auto", "fentry", "kprobe", "tracepoint", "pcap"};

std::optional<Tier> TierOfWord(size_t word) {
  if (word == 0) return std::nullopt;
  return static_cast<Tier>(word - 1);
}

constexpr std::string_view kBooleanWords[] = {"false", "true"};
constexpr std::string_view kLevelWords[] = {"trace", "debug", "info", "warning", "error"};

constexpr std::string_view kFormatWords[] = {"auto", "text", "json", "journald"};

constexpr std::string_view kCompressionWords[] = {"none", "gzip", "zstd"};
constexpr std::string_view kRecordWords[] = {"start", "update", "end"};
constexpr std::string_view kPolicyWords[] = {kReplicate, kFailover, kHash};

constexpr std::string_view kSecureSchemes[] = {"tls", "dtls"};
constexpr std::string_view kNetworkSchemes[] = {"udp", "tcp", "sctp", "tls", "dtls"};
constexpr std::string_view kFileSchemes[] = {"file"};

RecordChoice RecordsOf(const Value& value) {
  const auto has = [&](std::string_view word) {
    return std::find(value.names.begin(), value.names.end(), word) != value.names.end();
  };
  return {.start = has("start"), .update = has("update"), .end = has("end")};
}

constexpr std::string_view kPodSourceWords[] = {"api", "kubelet"};

std::span<const std::string_view> PodSourceWords() { return kPodSourceWords; }
std::span<const std::string_view> TierWords() { return kTierWords; }
std::span<const std::string_view> BooleanWords() { return kBooleanWords; }
std::span<const std::string_view> LevelWords() { return kLevelWords; }
std::span<const std::string_view> FormatWords() { return kFormatWords; }
std::span<const std::string_view> CompressionWords() { return kCompressionWords; }
std::span<const std::string_view> RecordWords() { return kRecordWords; }
std::span<const std::string_view> PolicyWords() { return kPolicyWords; }

constexpr std::string_view kDirectionWords[] = {"active", "passive"};

std::span<const std::string_view> DirectionWords() { return kDirectionWords; }

std::vector<IpPrefix> PrefixesOf(const Value& value) {
  std::vector<IpPrefix> prefixes;
  for (const std::string& name : value.names) prefixes.push_back(*IpPrefix::Parse(name));
  return prefixes;
}

std::vector<PortRange> PortsOf(const Value& value) {
  std::vector<PortRange> ranges;
  for (const std::string& name : value.names) ranges.push_back(*ParsePortRange(name));
  return ranges;
}

constexpr std::string_view kPrefixRule = "an IP address or a network such as 192.0.2.0/24 or 2001:db8::/32";
constexpr std::string_view kPortRule = "a port or a range such as 8000-8010, from 1 to 65535";

constexpr std::string_view kPemRule = "the path of a PEM file that this user may read";

// Keys of a section stand together: config.example.yaml follows this order.
constexpr Key kKeys[] = {
    {.name = "interface",
     .default_value = "any",
     .text_rule = "names of network interfaces with commas between, or any",
     .read = ReadInterfaces,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.interfaces = *ParseInterfaces(v.text); },
     .prose = "The network interfaces whose sessions are exported: one, or several with commas\n"
              "between (eth0,eth1). any, or nothing: all of them. In the tier pcap packets are\n"
              "captured there; in the others the local address of a session decides."},
    {.name = "bpf.source_host",
     .default_value = "\" \"",
     .text_rule = "an IP address or a host name, or nothing",
     .read = ReadSourceHost,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.source_host = v.text; },
     .prose = "Exports only sessions whose source (the side that connected) is this host: an IP\n"
              "address or a host name. Nothing: all sessions."},
    {.name = "bpf.filter",
     .default_value = "\" \"",
     .text_rule = "an expression of libpcap (man pcap-filter), or nothing",
     .read = ReadAnyText,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.packet_filter = v.text; },
     .prose = "In the tier pcap and of capture files: only packets that this expression lets pass,\n"
              "in the language of tcpdump: \"port 443 and not net 10.0.0.0/8\". It has to let both\n"
              "directions of a session pass. Nothing: all."},
    {.name = kIncludeKey,
     .type = Type::kItems,
     .default_value = "[]",
     .text_rule = "a list of maps of the keys of a rule",
     .prose = "Exports only sessions that one of these rules matches. Nothing: all.\n"
              "  include:\n"
              "    - {process: [nginx, \"php-fpm*\"], direction: passive}\n"
              "    - remote_address: 10.0.0.0/8\n"
              "      remote_port: [443, 8000-8010]\n"
              "A rule is a map of the keys below. It matches when each of its keys does, and a key\n"
              "when one of its values does. What is not known of a session matches nothing. Of the\n"
              "wildcards * stands for any characters, / among them, and ? for one octet.\n"
              "A session is chosen as it starts, for all of its records. Rules of ports, uids,\n"
              "direction and loopback alone cost least: they act in the kernel (not in the tier\n"
              "pcap). Sessions of sockflow's own process are never exported."},
    {.name = kExcludeKey,
     .type = Type::kItems,
     .default_value = "[]",
     .text_rule = "a list of maps of the keys of a rule",
     .prose = "And none that one of these matches, whatever include says."},
    {.name = "filter.rule.process",
     .type = Type::kNames,
     .text_rule = "names of processes; * and ? are wildcards",
     .read = ReadProcessName,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.process = v.names; },
     .prose = "The name of the process, as ps -o comm shows it: at most 15 octets. What begins\n"
              "with * needs quotes, here and below."},
    {.name = "filter.rule.executable",
     .type = Type::kNames,
     .text_rule = "absolute paths; * and ? are wildcards",
     .read = ReadExecutable,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.executable = v.names; },
     .prose = "The path of the program that the process runs, as its container sees it."},
    {.name = "filter.rule.user",
     .type = Type::kNames,
     .text_rule = "names of users, or uids",
     .read = ReadUser,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.user = v.names; },
     .prose = "The user of the process. A uid acts in the kernel, a name does not, and names of a\n"
              "directory (LDAP) not for the first sessions of a user: they are asked for meanwhile."},
    {.name = "filter.rule.container",
     .type = Type::kNames,
     .text_rule = "ids of containers, or how they begin: 4 to 64 hexadecimal digits",
     .read = ReadContainerId,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.container = v.names; },
     .prose = "The container of the process."},
    {.name = "filter.rule.pod_namespace",
     .type = Type::kNames,
     .text_rule = "namespaces of Kubernetes; * and ? are wildcards",
     .read = ReadPodNamespace,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.pod_namespace = v.names; },
     .prose = "The namespace of the pod at either end, if that is one of this node's."},
    {.name = "filter.rule.address",
     .type = Type::kNames,
     .text_rule = kPrefixRule,
     .read = ReadPrefix,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.address = PrefixesOf(v); },
     .prose = "The address of either end."},
    {.name = "filter.rule.local_address",
     .type = Type::kNames,
     .text_rule = kPrefixRule,
     .read = ReadPrefix,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.local_address = PrefixesOf(v); },
     .prose = "The address of the end whose process is told."},
    {.name = "filter.rule.remote_address",
     .type = Type::kNames,
     .text_rule = kPrefixRule,
     .read = ReadPrefix,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.remote_address = PrefixesOf(v); },
     .prose = "The address of its peer."},
    {.name = "filter.rule.port",
     .type = Type::kNames,
     .text_rule = kPortRule,
     .read = ReadPortRange,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.port = PortsOf(v); },
     .prose = "The port of either end."},
    {.name = "filter.rule.local_port",
     .type = Type::kNames,
     .text_rule = kPortRule,
     .read = ReadPortRange,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.local_port = PortsOf(v); },
     .prose = "The port of the end whose process is told."},
    {.name = "filter.rule.remote_port",
     .type = Type::kNames,
     .text_rule = kPortRule,
     .read = ReadPortRange,
     .may_be_single = true,
     .set_rule = [](FilterRule& r, const Value& v) { r.remote_port = PortsOf(v); },
     .prose = "The port of its peer."},
    {.name = "filter.rule.direction",
     .type = Type::kWord,
     .words = DirectionWords,
     .set_rule = [](FilterRule& r,
                    const Value& v) { r.direction = v.number == 0 ? Direction::kActive : Direction::kPassive; },
     .prose = "active: the process connected. passive: it accepted."},
    {.name = "filter.rule.loopback",
     .type = Type::kWord,
     .words = BooleanWords,
     .set_rule = [](FilterRule& r, const Value& v) { r.loopback = v.number != 0; },
     .prose = "Whether the address of either end is in 127.0.0.0/8 or is ::1."},
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
    {.name = "capture.tier",
     .type = Type::kWord,
     .default_value = "auto",
     .words = TierWords,
     .set = [](Draft& d, const Value& v) { d.config.capture.tier = TierOfWord(v.number); },
     .prose = "How sessions are captured. auto takes the first of the others that works on this\n"
              "kernel, in the order below, and says which. pcap looks at packets, without eBPF."},
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
     .prose = "Size of the buffer between kernel and agent (in the tier pcap of each interface): a\n"
              "larger one bridges longer bursts."},
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
    {.name = "capture.existing",
     .type = Type::kWord,
     .default_value = "true",
     .words = BooleanWords,
     .set = [](Draft& d, const Value& v) { d.config.capture.existing = v.number != 0; },
     .prose = "true: sessions that are open when the agent starts are exported, too, as if they began\n"
              "then; of what they carried their records count what comes from then on. false: they are\n"
              "left out."},
    {.name = "capture.count_packets",
     .type = Type::kWord,
     .default_value = "false",
     .words = BooleanWords,
     .set = [](Draft& d, const Value& v) { d.config.capture.count_packets = v.number != 0; },
     .prose = "In the tier pcap: true looks at the headers of every TCP packet, for exact counts of\n"
              "packets, at a cost for each. false looks only at packets with SYN, FIN or RST: payload\n"
              "octets are known from sequence numbers (modulo 2^32), packets are not counted."},
    {.name = "capture.forwarded",
     .type = Type::kWord,
     .default_value = "false",
     .words = BooleanWords,
     .set = [](Draft& d, const Value& v) { d.config.capture.forwarded = v.number != 0; },
     .prose = "In the tier pcap: true exports sessions between other hosts too, which pass a router\n"
              "or come from a mirror port (promiscuous mode). They have no process."},
    {.name = "process.command_line",
     .type = Type::kWord,
     .default_value = "false",
     .words = BooleanWords,
     .set = [](Draft& d, const Value& v) { d.config.process.command_line = v.number != 0; },
     .prose = "true looks up what each process was started with, too. Command lines may hold\n"
              "passwords and personal data. They go out where a collector's fields name\n"
              "SRC_PROC_CMDLINE or DST_PROC_CMDLINE."},
    {.name = "process.command_line_max_bytes",
     .type = Type::kNumber,
     .default_value = "256",
     .min = 16,
     .max = kLongestCommandLine,
     .set =
         [](Draft& d, const Value& v) {
           d.config.process.command_line_max_bytes = static_cast<uint32_t>(v.number);
         },
     .prose = "Most that is told of a command line. A longer one is cut and ends with \"...\"."},
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
    {.name = "kubernetes.enabled",
     .type = Type::kWord,
     .default_value = "false",
     .words = BooleanWords,
     .set = [](Draft& d, const Value& v) { d.config.kubernetes.enabled = v.number != 0; },
     .prose = "true: sessions get the names of this node's pods at either end: pod, namespace,\n"
              "node, owner and labels. Needs a service account that may list and watch pods."},
    {.name = "kubernetes.source",
     .type = Type::kWord,
     .default_value = "api",
     .words = PodSourceWords,
     .set = [](Draft& d, const Value& v) { d.config.kubernetes.from_kubelet = v.number != 0; },
     .prose = "Who is asked for the pods. api: the API server, which tells of each change.\n"
              "kubelet: the kubelet of this node, again and again (needs nodes/proxy)."},
    {.name = "kubernetes.api_server",
     .default_value = "\"\"",
     .text_rule = "https://HOST[:PORT], or nothing",
     .read = ReadApiServer,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.kubernetes.api_server = v.text; },
     .prose = "Where it is. Nothing: in a cluster its API server (KUBERNETES_SERVICE_HOST); with\n"
              "source kubelet https://NODE:10250."},
    {.name = "kubernetes.node_name",
     .default_value = "\"\"",
     .text_rule = "the name of a node in lower case, or nothing",
     .read = ReadNodeName,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.kubernetes.node_name = v.text; },
     .prose = "The name of this node in Kubernetes. Nothing: the environment's NODE_NAME, else\n"
              "the name of this host."},
    {.name = "kubernetes.token_file",
     .default_value = "\"\"",
     .text_rule = "the path of a file, or nothing",
     .read = ReadAnyText,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.kubernetes.token_file = v.text; },
     .prose = "The file with the token of the service account, which may change at any time.\n"
              "Nothing: /var/run/secrets/kubernetes.io/serviceaccount/token."},
    {.name = "kubernetes.ca_file",
     .default_value = "\"\"",
     .text_rule = "the path of a PEM file, or nothing",
     .read = ReadAnyText,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.kubernetes.ca_file = v.text; },
     .prose = "The authorities that the server's certificate may come from. Nothing: ca.crt\n"
              "beside that token."},
    {.name = "kubernetes.labels",
     .type = Type::kNames,
     .default_value = "[]",
     .text_rule = "keys of labels, such as app.kubernetes.io/name",
     .read = ReadLabelKey,
     .may_be_empty = true,
     .set = [](Draft& d, const Value& v) { d.config.kubernetes.labels = v.names; },
     .prose = "Which labels of a pod are told, as \"app=web,tier=front\"."},
    {.name = "kubernetes.wait_milliseconds",
     .type = Type::kNumber,
     .default_value = "1000",
     .min = 0,
     .max = 60000,
     .set =
         [](Draft& d, const Value& v) { d.config.kubernetes.wait = std::chrono::milliseconds(v.number); },
     .prose = "How long a session's records may wait for the names of a pod that is not known yet."},
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

std::span<const Key> Keys() { return kKeys; }

const Key* FindKey(std::string_view name) {
  const auto* key = std::find_if(std::begin(kKeys), std::end(kKeys),
                                 [&](const Key& k) { return k.name == name; });
  return key == std::end(kKeys) ? nullptr : key;
}

bool IsOfItem(std::string_view name) {
  return name.starts_with("collectors.") || name.starts_with("filter.rule.");
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

std::string_view ToString(Compression compression) {
  return config::kCompressionWords[static_cast<size_t>(compression)];
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
