// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "config/values.h"
#include "fmt/format.h"
#include "sockflow/config.h"

namespace sockflow {
namespace {

std::string FaultsOf(std::string_view text) {
  const absl::StatusOr<LoadedConfig> loaded = ParseConfig("t.yaml", text);
  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(loaded.status().message());
}

constexpr std::string_view kTopKeys =
    "interface, bpf, filter, collector, collectors, capture, process, exporter, kubernetes, metrics or log";
constexpr std::string_view kExporterKeys =
    "interval_seconds, chunk_size, template_refresh_seconds, template_refresh_packets, "
    "max_message_bytes, observation_domain, reconnect_seconds, queue_bytes, burst_messages, "
    "shutdown_seconds, active_timeout_seconds, statistics_seconds, domain_name, pen or first_sequence";

constexpr std::string_view kRuleKeys =
    "process, executable, user, container, pod_namespace, address, local_address, remote_address, port, "
    "local_port, remote_port, direction, loopback";
constexpr std::string_view kRuleKeysOr =
    "process, executable, user, container, pod_namespace, address, local_address, remote_address, port, "
    "local_port, remote_port, direction or loopback";

constexpr std::string_view kListRule =
    "a list of URLs, of maps with url, or of groups with policy and collectors";
constexpr std::string_view kUrlRule =
    "a URL such as udp://HOST[:PORT], with an IPv6 address in brackets";

struct Case {
  std::string name;
  std::string text;
  std::string faults;
};

class FaultsTest : public ::testing::TestWithParam<Case> {};

TEST_P(FaultsTest, NamesLineKeyAndWhatIsAllowed) {
  EXPECT_EQ(FaultsOf(GetParam().text), GetParam().faults);
}

const Case kCases[] = {
    {"UnknownKey", "interface: eth0\ncolour: red\n",
     "t.yaml:2: colour: unknown key; allowed are " + std::string(kTopKeys)},
    {"UnknownKeyNearAnother", "exporter:\n  chunksize: 10\n",
     "t.yaml:2: exporter.chunksize: unknown key (did you mean chunk_size?); allowed in exporter "
     "are " +
         std::string(kExporterKeys)},
    {"UnknownKeyWithWrongCase", "Interface: eth0\n",
     "t.yaml:1: Interface: unknown key (did you mean interface?); allowed are " +
         std::string(kTopKeys)},
    {"UnknownKeyWithHyphens", "log:\n  stats-interval-seconds: 5\n",
     "t.yaml:2: log.stats-interval-seconds: unknown key (did you mean stats_interval_seconds?); "
     "allowed in log are level, format or stats_interval_seconds"},
    {"KeyInTheWrongPlace", "chunk_size: 10\n",
     "t.yaml:1: chunk_size: unknown key (did you mean exporter.chunk_size?); allowed are " +
         std::string(kTopKeys)},
    {"KeyOfAnotherSection", "log:\n  port: 1\n",
     "t.yaml:2: log.port: unknown key (did you mean collector.port?); allowed in log are level, "
     "format or stats_interval_seconds"},
    {"KeyWithDots", "collector.port: 1\n",
     "t.yaml:1: collector.port: write it as a section: \"collector:\", and \"port:\" indented "
     "below it"},
    {"HostileKey", "\"a\\nb\\e[31m\": 1\n",
     "t.yaml:1: \"a\\nb\\x1b[31m\": unknown key; allowed are " + std::string(kTopKeys)},
    {"ApiServerInPlainText", "kubernetes:\n  api_server: http://10.0.0.1\n",
     "t.yaml:2: kubernetes.api_server: \"http://10.0.0.1\" does not begin with https://; allowed is "
     "https://HOST[:PORT], or nothing"},
    {"ApiServerWithPath", "kubernetes: {api_server: \"https://a.example/api\"}\n",
     "t.yaml:1: kubernetes.api_server: \"https://a.example/api\" is no such URL; allowed is "
     "https://HOST[:PORT], or nothing"},
    {"NodeNameInUpperCase", "kubernetes:\n  node_name: Node-1\n",
     "t.yaml:2: kubernetes.node_name: \"Node-1\" cannot be such a name; allowed is the name of a node in "
     "lower case, or nothing"},
    {"LabelKeyWithBlank", "kubernetes:\n  labels:\n    - app\n    - \"a b\"\n",
     "t.yaml:4: kubernetes.labels: \"a b\" cannot be the key of a label; allowed is a list [...] of keys of "
     "labels, such as app.kubernetes.io/name"},
    {"UnknownPodSource", "kubernetes: {source: etcd}\n",
     "t.yaml:1: kubernetes.source: \"etcd\" is not known; allowed is api or kubelet"},
    {"RuleWithUnknownKey", "filter:\n  exclude:\n    - {port: 80, poort: 81}\n",
     "t.yaml:3: filter.exclude.poort: unknown key (did you mean port?); allowed in filter.exclude are " +
         std::string(kRuleKeysOr)},
    {"RuleIsAValue", "filter:\n  include: [nginx]\n",
     "t.yaml:2: filter.include: a single value where a rule belongs; allowed is a map of the keys " +
         std::string(kRuleKeys)},
    {"RuleIsEmpty", "filter:\n  include:\n    - port: 80\n    - {}\n",
     "t.yaml:4: filter.include: nothing where a rule belongs; allowed is a map of the keys " +
         std::string(kRuleKeys)},
    {"RulesAreAMap", "filter:\n  include: {port: 80}\n",
     "t.yaml:2: filter.include: a map where a list belongs; allowed is a list of maps of the keys of a rule"},
    {"FilterIsAList", "filter:\n  - port: 80\n",
     "t.yaml:1: filter: a list where a section belongs; allowed are, indented below it, the keys include, "
     "exclude"},
    {"RuleIsNoSection", "filter: {rule: {port: 80}}\n",
     "t.yaml:1: filter.rule: unknown key; allowed in filter are include or exclude"},
    {"RulePortOutOfRange", "filter:\n  include:\n    - port: [80, 70000]\n",
     "t.yaml:3: filter.include.port: \"70000\" is neither; allowed is one or a list [...] of a port or a range "
     "such as 8000-8010, from 1 to 65535"},
    {"RulePortsBackwards", "filter: {exclude: [{local_port: 90-80}]}\n",
     "t.yaml:1: filter.exclude.local_port: \"90-80\" is neither; allowed is one or a list [...] of a port or a "
     "range such as 8000-8010, from 1 to 65535"},
    {"RuleAddressIsAName", "filter: {exclude: [{address: db.example}]}\n",
     "t.yaml:1: filter.exclude.address: \"db.example\" is neither; allowed is one or a list [...] of an IP "
     "address or a network such as 192.0.2.0/24 or 2001:db8::/32"},
    {"RuleNetworkHasBitsOfHosts", "filter: {include: [{remote_address: 10.1.2.3/8}]}\n",
     "t.yaml:1: filter.include.remote_address: \"10.1.2.3/8\" has bits beyond its length; allowed are the "
     "address 10.1.2.3 or the network 10.0.0.0/8"},
    {"RuleProcessIsCutByTheKernel", "filter: {include: [{process: kube-controller-manager}]}\n",
     "t.yaml:1: filter.include.process: \"kube-controller-manager\" is longer than a name of a process, of "
     "which the kernel keeps 15 octets; allowed is \"kube-controller\", or the path as executable"},
    {"RulePatternIsCutByTheKernel", "filter: {include: [{process: \"*controller-mana*\"}, {process: kube-controller-*}]}\n",
     "t.yaml:1: filter.include.process: \"kube-controller-*\" is longer than a name of a process, of which the "
     "kernel keeps 15 octets; allowed is 15 octets besides *, or the path as executable"},
    {"RuleExecutableIsRelative", "filter: {include: [{executable: bin/sh}]}\n",
     "t.yaml:1: filter.include.executable: \"bin/sh\" is not absolute; allowed is one or a list [...] of "
     "absolute paths; * and ? are wildcards"},
    {"RuleContainerIsShort", "filter: {include: [{container: [\"abc\"]}]}\n",
     "t.yaml:1: filter.include.container: \"abc\" is no id of a container; allowed is one or a list [...] of "
     "ids of containers, or how they begin: 4 to 64 hexadecimal digits"},
    {"RuleUidOutOfRange", "filter: {include: [{user: 4294967295}]}\n",
     "t.yaml:1: filter.include.user: \"4294967295\" is no uid; allowed is one or a list [...] of names of "
     "users, or uids"},
    {"RuleNamespaceInUpperCase", "filter: {include: [{pod_namespace: Default}]}\n",
     "t.yaml:1: filter.include.pod_namespace: \"Default\" cannot be such a name; allowed is one or a list "
     "[...] of namespaces of Kubernetes; * and ? are wildcards"},
    {"RuleDirectionOfElsewhere", "filter: {include: [{direction: inbound}]}\n",
     "t.yaml:1: filter.include.direction: \"inbound\" is not known; allowed is active or passive"},
    {"RuleValueTwice", "filter: {include: [{port: [80, 80]}]}\n",
     "t.yaml:1: filter.include.port: \"80\" given twice; allowed is once"},
    {"RuleWithoutValue", "filter:\n  include:\n    - process:\n",
     "t.yaml:3: filter.include.process: is empty; allowed is one or a list [...] of names of processes; * and "
     "? are wildcards"},
    {"WordWhereNumber", "collector:\n  port: abc\n",
     "t.yaml:2: collector.port: \"abc\" is not a whole number; allowed is a whole number from 1 to "
     "65535"},
    {"FractionWhereWholeNumber", "exporter: {chunk_size: 1.5}\n",
     "t.yaml:1: exporter.chunk_size: \"1.5\" is not a whole number; allowed is a whole number from "
     "0 to 65535"},
    {"ListWhereNumber", "collector:\n  port: [1]\n",
     "t.yaml:2: collector.port: a list where a single value belongs; allowed is a whole number "
     "from 1 to 65535"},
    {"MapWhereWord", "capture:\n  tier: {a: b}\n",
     "t.yaml:2: capture.tier: a map where a single value belongs; allowed is auto, fentry, kprobe, "
     "tracepoint or pcap"},
    {"NoValue", "collector:\n  port:\n  host: h\n",
     "t.yaml:2: collector.port: has no value; allowed is a whole number from 1 to 65535"},
    {"NoHost", "collector:\n  host: \" \"\n",
     "t.yaml:2: collector.host: has no value; allowed is an IP address or a host name"},
    {"OutOfRange", "collector:\n  port: 70000\n",
     "t.yaml:2: collector.port: \"70000\" is out of range; allowed is a whole number from 1 to "
     "65535"},
    {"FarOutOfRange", "exporter: {observation_domain: 99999999999999999999999}\n",
     "t.yaml:1: exporter.observation_domain: \"99999999999999999999999\" is out of range; allowed "
     "is a whole number from 0 to 4294967295"},
    {"Negative", "exporter: {chunk_size: -1}\n",
     "t.yaml:1: exporter.chunk_size: \"-1\" is out of range; allowed is a whole number from 0 to "
     "65535"},
    {"SecondsOutOfRange", "exporter: {interval_seconds: 3600.1}\n",
     "t.yaml:1: exporter.interval_seconds: \"3600.1\" is out of range; allowed is a number of "
     "seconds from 0 to 3600"},
    {"SecondsNotANumber", "exporter: {interval_seconds: nan}\n",
     "t.yaml:1: exporter.interval_seconds: \"nan\" is out of range; allowed is a number of seconds "
     "from 0 to 3600"},
    {"SecondsHuge", "exporter: {interval_seconds: 1e999}\n",
     "t.yaml:1: exporter.interval_seconds: \"1e999\" is out of range; allowed is a number of "
     "seconds from 0 to 3600"},
    {"SecondsWithUnit", "exporter: {interval_seconds: 5s}\n",
     "t.yaml:1: exporter.interval_seconds: \"5s\" is not a number of seconds; allowed is a number "
     "of seconds from 0 to 3600"},
    {"SecondsBelowATenth", "exporter: {reconnect_seconds: 0.05}\n",
     "t.yaml:1: exporter.reconnect_seconds: \"0.05\" is out of range; allowed is a number of "
     "seconds from 0.1 to 86400"},
    {"NumberWithUnit", "exporter: {queue_bytes: 8M}\n",
     "t.yaml:1: exporter.queue_bytes: \"8M\" is not a whole number; allowed is a whole number from "
     "65536 to 1073741824"},
    {"NumberWithUnderscores", "exporter: {queue_bytes: 8_388_608}\n",
     "t.yaml:1: exporter.queue_bytes: \"8_388_608\" is not a whole number; allowed is a whole "
     "number from 65536 to 1073741824"},
    {"Octal", "collector: {port: 0o11203}\n",
     "t.yaml:1: collector.port: \"0o11203\" is not a whole number; allowed is a whole number from 1 "
     "to 65535"},
    {"Hexadecimal", "collector: {port: 0x1283}\n",
     "t.yaml:1: collector.port: \"0x1283\" is not a whole number; allowed is a whole number from 1 "
     "to 65535"},
    {"PenOfTheReverse", "exporter: {pen: 29305}\n",
     "t.yaml:1: exporter.pen: 29305 stands for reverse elements (RFC 5103), and elements under it "
     "mean something else; allowed is the number that IANA gave to you, or 0"},
    {"PenOfNtop", "exporter: {pen: 35632}\n",
     "t.yaml:1: exporter.pen: 35632 is ntop's, and elements under it mean something else; allowed is "
     "the number that IANA gave to you, or 0"},
    {"PenOfAntrea", "exporter: {pen: 56506}\n",
     "t.yaml:1: exporter.pen: 56506 is Antrea's, and elements under it mean something else; allowed "
     "is the number that IANA gave to you, or 0"},
    {"PenOutOfRange", "exporter: {pen: 4294967296}\n",
     "t.yaml:1: exporter.pen: \"4294967296\" is out of range; allowed is a whole number from 0 to "
     "4294967295"},
    {"DomainNameWithControls", "exporter: {domain_name: \"a\\nb\"}\n",
     "t.yaml:1: exporter.domain_name: \"a\\nb\" cannot be such a name; allowed is a name of up to "
     "255 octets without control characters, or nothing"},
    {"NotAPowerOfTwo", "capture: {ring_buffer_bytes: 1000000}\n",
     "t.yaml:1: capture.ring_buffer_bytes: \"1000000\" is not a power of two; allowed is a power "
     "of two from 65536 to 1073741824"},
    {"UnknownWord", "capture:\n  tier: fenty\n",
     "t.yaml:2: capture.tier: \"fenty\" is not known (did you mean fentry?); allowed is auto, "
     "fentry, kprobe, tracepoint or pcap"},
    {"BadHost", "bpf: {source_host: a/b; c}\n",
     "t.yaml:1: bpf.source_host: host \"a/b; c\" is neither an IP address nor a host name; allowed "
     "in a name are letters, digits, - and _ between dots"},
    {"MetricsOnAPortAlone", "metrics: {listen: 9841}\n",
     "t.yaml:1: metrics.listen: \"9841\" has no port; allowed is HOST:PORT with an IPv6 address in "
     "brackets, or :PORT, or nothing"},
    {"MetricsWithoutPort", "metrics: {listen: \"[::1]\"}\n",
     "t.yaml:1: metrics.listen: \"[::1]\" has no port; allowed is HOST:PORT with an IPv6 address in "
     "brackets, or :PORT, or nothing"},
    {"MetricsWithoutBrackets", "metrics: {listen: \"::1\"}\n",
     "t.yaml:1: metrics.listen: IPv6 address ::1 lacks its brackets; write [::1]; allowed is HOST:PORT with an "
     "IPv6 address in brackets, or :PORT, or nothing"},
    {"MetricsOnNoAddress", "metrics: {listen: 256.1.1.1:9841}\n",
     "t.yaml:1: metrics.listen: host \"256.1.1.1\" is not an IPv4 address; allowed is four numbers from 0 "
     "to 255; allowed is HOST:PORT with an IPv6 address in brackets, or :PORT, or nothing"},
    {"MetricsOnAUrl", "metrics: {listen: \"http://127.0.0.1:9841\"}\n",
     "t.yaml:1: metrics.listen: \"http://127.0.0.1:9841\" has a scheme; allowed is HOST:PORT with an IPv6 "
     "address in brackets, or :PORT, or nothing"},
    {"LogFormat", "log: {format: jsn}\n",
     "t.yaml:1: log.format: \"jsn\" is not known (did you mean json?); allowed is auto, text, json or "
     "journald"},
    {"NoPasswordOfACollectorIsRepeated", "collectors: [\"udp://user:secret@192.0.2.1\"]\n",
     "t.yaml:1: collectors.url: a user name (before @) does not belong there; write udp://HOST[:PORT]"},
    {"NoPasswordOfAHostIsRepeated", "collector: {host: \"user:secret@192.0.2.1\"}\n",
     "t.yaml:1: collector.host: host \"***@192.0.2.1\" is neither an IP address nor a host name; allowed "
     "in a name are letters, digits, - and _ between dots"},
    {"NoPasswordOfAServerIsRepeated", "kubernetes: {api_server: \"https://user:secret@192.0.2.1\"}\n",
     "t.yaml:1: kubernetes.api_server: \"https://***@192.0.2.1\" is no such URL; allowed is "
     "https://HOST[:PORT], or nothing"},
    {"SemicolonInValue", "log: {stats_interval_seconds: 1; 2}\n",
     "t.yaml:1: log.stats_interval_seconds: \"1; 2\" is not a number of seconds; allowed is a "
     "number of seconds from 0 to 86400"},
    {"SectionIsAValue", "collector: 127.0.0.1\n",
     "t.yaml:1: collector: a single value where a section belongs; allowed are, indented below it, "
     "the keys host, port"},
    {"SectionIsAList", "log:\n  - level: info\n",
     "t.yaml:1: log: a list where a section belongs; allowed are, indented below it, the keys "
     "level, format, stats_interval_seconds"},
    {"DuplicateKey", "interface: a\nlog: {level: info}\ninterface: b\n",
     "t.yaml:3: interface: given twice, first in line 1; allowed is once"},
    {"DuplicateSection", "log:\n  level: info\nlog:\n  level: debug\n",
     "t.yaml:3: log: given twice, first in line 1; allowed is once"},
    {"KeyIsAList", "[a, b]: 1\n",
     "t.yaml:1: YAML: a key is empty, a list or a map; allowed are lines \"key: value\""},
    {"RootIsAList", "- interface: eth0\n",
     "t.yaml:1: YAML: the file holds a list; allowed are lines \"key: value\""},
    {"RootIsAValue", "\n\neth0\n",
     "t.yaml:3: YAML: the file holds a single value; allowed are lines \"key: value\""},
    {"TwoDocuments", "interface: a\n---\ninterface: b\n",
     "t.yaml:3: YAML: a second document (---) begins; allowed is one in a file"},
    {"BracketLeftOpen", "collectors: [udp://a,\nlog: {level: info}\n",
     "t.yaml:3: YAML: end of sequence flow not found at column 1; correct the syntax (indentation, "
     "quotes, brackets, colons)"},
    {"BadIndentation", "collector:\n    host: a\n  port: 1\n",
     "t.yaml:3: YAML: end of map not found at column 3; correct the syntax (indentation, quotes, "
     "brackets, colons)"},
    {"TabIndentation", "collector:\n\thost: a\n",
     "t.yaml:2: YAML: illegal map value at column 6; indent with blanks, not with a tab"},
    {"UnknownAlias", "interface: *name\n",
     "t.yaml:1: YAML: the referenced anchor is not defined at column 12; correct the syntax "
     "(indentation, quotes, brackets, colons)"},
    {"MergeKey", "<<: {interface: eth0}\n",
     "t.yaml:1: <<: unknown key; allowed are " + std::string(kTopKeys)},
    {"Binary", std::string("interface: a\n\x7f\x45\x4c\x46\0", 18),
     "t.yaml:2: text: octet 0x00 is not part of a text; allowed is UTF-8 without control "
     "characters"},
    {"Latin1", "interface: a\n# \xfc\n",
     "t.yaml:2: text: octet 0xfc is not part of a text; allowed is UTF-8 without control "
     "characters"},
    {"Utf16", std::string("\xff\xfei\0n\0", 6),
     "t.yaml:1: text: octet 0xff is not part of a text; allowed is UTF-8 without control "
     "characters"},
    {"CollectorsIsAMap", "collectors: {url: udp://a}\n",
     "t.yaml:1: collectors: a map where a list belongs; allowed is " + std::string(kListRule)},
    {"CollectorsIsAValue", "collectors: udp://a\n",
     "t.yaml:1: collectors: a single value where a list belongs; allowed is " +
         std::string(kListRule)},
    {"CollectorWithoutUrl", "collectors:\n  - profile: iana\n",
     "t.yaml:2: collectors.url: missing; allowed is " + std::string(kUrlRule)},
    {"CollectorWithUnknownKey", "collectors:\n  - url: udp://a\n    profil: iana\n",
     "t.yaml:3: collectors.profil: unknown key (did you mean profile?); allowed in collectors are "
     "url, profile, fields, records, tls, spool, file, policy or collectors"},
    {"CollectorWithUnknownProfile", "collectors:\n  - url: udp://a\n    profile: ianna\n",
     "t.yaml:3: collectors.profile: \"ianna\" is not known (did you mean iana?); allowed is " +
         ListOf(ipfix::ProfileNames())},
    {"CollectorWithBadUrl", "collectors:\n  - udp://a\n  - udp://a:0\n",
     "t.yaml:3: collectors.url: port \"0\" is wrong; allowed is 1 to 65535"},
    {"CollectorIsNothing", "collectors: [~]\n",
     "t.yaml:1: collectors.url: has no value; allowed is " + std::string(kUrlRule)},
    {"CollectorIsAList", "collectors: [[udp://a]]\n",
     "t.yaml:1: collectors.url: a list where a single value belongs; allowed is " +
         std::string(kUrlRule)},
    {"CollectorTwice", "collectors:\n  - udp://a\n  - url: udp://a:4739\n",
     "t.yaml:3: collectors.url: udp://a:4739 is listed twice with the same keys, first in line 2; "
     "allowed is once"},
    {"BothKindsOfCollector",
     "collector:\n  host: a\n  port: 1\ncollectors:\n  - udp://b\n",
     "t.yaml:2: collector.host: given beside collectors (line 4); allowed is one of the two\n"
     "t.yaml:3: collector.port: given beside collectors (line 4); allowed is one of the two"},
    {"AllFaultsInOrder",
     "log:\n  level: loud\n  levle: info\ncollector:\n  port: 0\nexporter: 5\ninterface: a b\n",
     "t.yaml:2: log.level: \"loud\" is not known; allowed is trace, debug, info, warning or error\n"
     "t.yaml:3: log.levle: unknown key (did you mean level?); allowed in log are level, "
     "format or stats_interval_seconds\n"
     "t.yaml:5: collector.port: \"0\" is out of range; allowed is a whole number from 1 to 65535\n"
     "t.yaml:6: exporter: a single value where a section belongs; allowed are, indented below it, "
     "the keys interval_seconds, chunk_size, template_refresh_seconds, template_refresh_packets, "
     "max_message_bytes, observation_domain, reconnect_seconds, queue_bytes, burst_messages, "
     "shutdown_seconds, active_timeout_seconds, statistics_seconds, domain_name, pen, first_sequence\n"
     "t.yaml:7: interface: \"a b\" cannot be the name of an interface; allowed is names of "
     "network interfaces with commas between, or any"},
};

INSTANTIATE_TEST_SUITE_P(All, FaultsTest, ::testing::ValuesIn(kCases),
                         [](const auto& instance) { return instance.param.name; });

TEST(HostileFilesTest, FaultsAreBounded) {
  std::string text;
  for (int i = 0; i < 500; ++i) text += "key" + std::to_string(i) + ": 1\n";
  const std::string faults = FaultsOf(text);
  EXPECT_EQ(std::count(faults.begin(), faults.end(), '\n'), 100);
  EXPECT_TRUE(faults.ends_with("\nt.yaml: 400 more faults are not listed; correct these first"));
}

TEST(HostileFilesTest, LongTextIsCutWithoutBreakingCharacters) {
  std::string name = "x";
  for (int i = 0; i < 300; ++i) name += "\xc3\xa4";
  EXPECT_EQ(FaultsOf(name + ": 1\n").find("t.yaml:1: \"x\xc3\xa4"), 0u);
  EXPECT_LT(FaultsOf(name + ": 1\n").size(), 400u);
  EXPECT_LT(FaultsOf("collector: {port: " + std::string(10000, '9') + "}\n").size(), 400u);
}

TEST(HostileFilesTest, TooManyCollectors) {
  std::string text = "collectors: [";
  for (int i = 1; i <= 65; ++i) text += "\"udp://a:" + std::to_string(i) + "\",";
  EXPECT_EQ(FaultsOf(text + "]\n"),
            "t.yaml:1: collectors: 65 collectors are too many; allowed are up to 64");
}

TEST(HostileFilesTest, DeepNesting) {
  EXPECT_EQ(FaultsOf("interface: " + std::string(100'000, '[')).find("t.yaml:1: YAML: "), 0u);
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "- ";
  EXPECT_NE(FaultsOf(text).find("YAML: nested too deeply"), std::string::npos);
}

// Each anchor holds nine of the one before: 9^24 values if aliases were expanded.
TEST(HostileFilesTest, AliasesAreNotExpanded) {
  std::string text = "a: &a [x,x,x,x,x,x,x,x,x]\n";
  for (char name = 'b'; name <= 'y'; ++name) {
    text += fmt::format("{0}: &{0} [", name);
    for (int i = 0; i < 9; ++i) text += fmt::format("*{},", static_cast<char>(name - 1));
    text += "]\n";
  }
  text += "collectors: *y\n";
  const std::string faults = FaultsOf(text);
  EXPECT_NE(faults.find("collectors.url: a list where a single value belongs"), faults.npos);
  EXPECT_NE(FaultsOf("log: &l {level: *l}\n").find("log.level: a map"), std::string::npos);
  EXPECT_NE(FaultsOf("collectors: &l [*l]\n").find("collectors.url: a list"), std::string::npos);
}

}  // namespace
}  // namespace sockflow
