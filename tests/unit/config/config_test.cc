// SPDX-License-Identifier: MIT
#include "sockflow/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace sockflow {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

Config Parse(std::string_view text) {
  const absl::StatusOr<LoadedConfig> loaded = ParseConfig("t.yaml", text);
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  return loaded.ok() ? loaded->config : Config();
}

CollectorConfig To(const std::string& url, std::string_view profile = "process") {
  CollectorConfig collector = *ParseCollectorUrl(url);
  collector.profile = *ipfix::ParseProfile(profile);
  return collector;
}

std::vector<CollectorGroup> All(std::vector<CollectorConfig> collectors) {
  return {{CollectorGroup::Policy::kReplicate, std::move(collectors)}};
}

std::string UrlOf(const Config& config) {
  return config.collectors.front().collectors.front().endpoints.front().url;
}

TEST(ConfigTest, Defaults) {
  const Config config;
  EXPECT_THAT(config.interfaces, IsEmpty());
  EXPECT_EQ(config.source_host, "");
  EXPECT_EQ(config.packet_filter, "");
  EXPECT_TRUE(config.capture.existing);
  EXPECT_FALSE(config.capture.count_packets);
  EXPECT_FALSE(config.capture.forwarded);
  EXPECT_EQ(config.collectors, All({To("udp://127.0.0.1")}));
  EXPECT_EQ(config.collectors.front().collectors.front().place.ToString(), "collector");
  EXPECT_EQ(config.capture.tier, std::nullopt);
  EXPECT_EQ(config.capture.ring_buffer_bytes, 4194304u);
  EXPECT_EQ(config.capture.max_sessions, 262144u);
  EXPECT_EQ(config.exporter.interval, seconds(1));
  EXPECT_EQ(config.exporter.chunk_size, 0u);
  EXPECT_EQ(config.exporter.template_refresh, seconds(30));
  EXPECT_EQ(config.exporter.template_refresh_packets, 0u);
  EXPECT_EQ(config.exporter.max_message_bytes, 1400u);
  EXPECT_EQ(config.exporter.observation_domain, 1u);
  EXPECT_EQ(config.exporter.reconnect_interval, seconds(60));
  EXPECT_EQ(config.exporter.queue_bytes, 8388608u);
  EXPECT_EQ(config.exporter.active_timeout, seconds(300));
  EXPECT_EQ(config.exporter.statistics_interval, seconds(60));
  EXPECT_EQ(config.exporter.burst_messages, 16u);
  EXPECT_EQ(config.exporter.first_sequence, 0u);
  EXPECT_EQ(config.exporter.pen, 0u);
  EXPECT_EQ(config.exporter.domain_name, "");
  EXPECT_EQ(config.exporter.shutdown_time, seconds(5));
  EXPECT_FALSE(config.process.command_line);
  EXPECT_EQ(config.process.command_line_max_bytes, 256u);
  EXPECT_EQ(config.metrics.listen, "");
  EXPECT_EQ(config.log.level, LogLevel::kInfo);
  EXPECT_EQ(config.log.format, LogFormat::kAuto);
  EXPECT_EQ(config.log.stats_interval, seconds(60));
}

TEST(ConfigTest, DefaultsOfACollector) {
  const CollectorConfig collector = *ParseCollectorUrl("udp://h");
  ASSERT_EQ(collector.endpoints.size(), 1u);
  EXPECT_EQ(collector.endpoints[0], (EndpointConfig{.url = "udp://h:4739", .tls = {}, .place = {}}));
  EXPECT_EQ(collector.profile, ipfix::Profile::kProcess);
  EXPECT_TRUE(collector.fields.empty());
  EXPECT_TRUE(collector.records.start && collector.records.end);
  EXPECT_EQ(collector.spool.directory, "");
  EXPECT_EQ(collector.spool.max_bytes, 1073741824u);
  EXPECT_EQ(collector.file.max_bytes, 104857600u);
  EXPECT_EQ(collector.file.max_age, seconds(3600));
  EXPECT_EQ(collector.file.compression, Compression::kNone);
}

// A file of the tool whose place sockflow takes works as it is.
TEST(ConfigTest, ReadsTheSeedsFile) {
  const Config config = Parse(
      "interface: \"eth0\"\n"
      "bpf:\n"
      "  source_host: \" \"\n"
      "collector:\n"
      "  host: \"192.0.2.7\"\n"
      "  port: 2055\n"
      "exporter:\n"
      "  interval_seconds: 5\n"
      "  chunk_size: 10\n");
  Config expected;
  expected.interfaces = {"eth0"};
  expected.collectors = All({To("udp://192.0.2.7:2055")});
  expected.exporter.interval = seconds(5);
  expected.exporter.chunk_size = 10;
  EXPECT_EQ(config, expected);
}

TEST(ConfigTest, ReadsEveryKey) {
  const Config config = Parse(
      "interface: wlan0, lo\n"
      "bpf: {source_host: sensor.example, filter: ' not port 22 '}\n"
      "collectors:\n"
      "  - url: udp://[2001:db8::1]\n"
      "    profile: iana\n"
      "  - udp://flows.example:2055\n"
      "  - {url: UDP://192.0.2.1}\n"
      "capture:\n"
      "  tier: kprobe\n"
      "  ring_buffer_bytes: 65536\n"
      "  max_sessions: 1024\n"
      "  count_packets: true\n"
      "  forwarded: true\n"
      "process: {command_line: true, command_line_max_bytes: 1024}\n"
      "exporter:\n"
      "  interval_seconds: 0.25\n"
      "  chunk_size: 65535\n"
      "  template_refresh_seconds: 600\n"
      "  template_refresh_packets: 20\n"
      "  max_message_bytes: 512\n"
      "  observation_domain: 4294967295\n"
      "  reconnect_seconds: 0.1\n"
      "  queue_bytes: 65536\n"
      "  statistics_seconds: 0\n"
      "  burst_messages: 0\n"
      "  first_sequence: 4294967290\n"
      "  pen: 4294967295\n"
      "  domain_name: \" R\\u00e4ume \"\n"
      "  shutdown_seconds: 0\n"
      "metrics: {listen: \" [2001:DB8::1]:9841\"}\n"
      "log:\n"
      "  level: debug\n"
      "  format: json\n"
      "  stats_interval_seconds: 0\n");
  EXPECT_THAT(config.interfaces, ElementsAre("wlan0", "lo"));
  EXPECT_EQ(config.packet_filter, "not port 22");
  EXPECT_TRUE(config.capture.count_packets);
  EXPECT_TRUE(config.capture.forwarded);
  EXPECT_EQ(config.source_host, "sensor.example");
  EXPECT_EQ(config.collectors,
            All({To("udp://[2001:db8::1]", "iana"), To("udp://flows.example:2055"),
                 To("udp://192.0.2.1")}));
  EXPECT_EQ(config.capture.tier, Tier::kKprobe);
  EXPECT_EQ(config.capture.ring_buffer_bytes, 65536u);
  EXPECT_EQ(config.capture.max_sessions, 1024u);
  EXPECT_TRUE(config.process.command_line);
  EXPECT_EQ(config.process.command_line_max_bytes, 1024u);
  EXPECT_EQ(config.exporter.interval, milliseconds(250));
  EXPECT_EQ(config.exporter.chunk_size, 65535u);
  EXPECT_EQ(config.exporter.template_refresh, seconds(600));
  EXPECT_EQ(config.exporter.template_refresh_packets, 20u);
  EXPECT_EQ(config.exporter.max_message_bytes, 512u);
  EXPECT_EQ(config.exporter.observation_domain, 4294967295u);
  EXPECT_EQ(config.exporter.reconnect_interval, milliseconds(100));
  EXPECT_EQ(config.exporter.queue_bytes, 65536u);
  EXPECT_EQ(config.exporter.statistics_interval, seconds(0));
  EXPECT_EQ(config.exporter.burst_messages, 0u);
  EXPECT_EQ(config.exporter.first_sequence, 4294967290u);
  EXPECT_EQ(config.exporter.pen, 4294967295u);
  EXPECT_EQ(config.exporter.domain_name, "R\xc3\xa4ume");
  EXPECT_EQ(config.exporter.shutdown_time, seconds(0));
  EXPECT_EQ(config.metrics.listen, "[2001:DB8::1]:9841");
  EXPECT_EQ(config.log.level, LogLevel::kDebug);
  EXPECT_EQ(config.log.format, LogFormat::kJson);
  EXPECT_EQ(config.log.stats_interval, seconds(0));
}

TEST(ConfigTest, MetricsListenOnAnAddressWithItsPort) {
  for (const char* text : {"127.0.0.1:9841", "[::]:9841", ":9841", "localhost:1", "[fe80::1%eth0]:65535"}) {
    EXPECT_EQ(Parse(std::string("metrics: {listen: \"") + text + "\"}\n").metrics.listen, text);
  }
}

TEST(ConfigTest, CollectorHostAndPortMakeOneCollector) {
  EXPECT_EQ(UrlOf(Parse("collector: {host: \"2001:db8::1\"}\n")),
            "udp://[2001:db8::1]:4739");
  EXPECT_EQ(UrlOf(Parse("collector: {port: 9995}\n")), "udp://127.0.0.1:9995");
  EXPECT_EQ(UrlOf(Parse("collector: {host: sink}\ncollectors: []\n")),
            "udp://sink:4739");
}

TEST(ConfigTest, NumbersAreDecimalWhateverTheyBeginWith) {
  EXPECT_EQ(UrlOf(Parse("collector: {port: 04739}\n")), "udp://127.0.0.1:4739");
  EXPECT_EQ(UrlOf(Parse("collectors: [udp://h:02055]\n")), "udp://h:2055");
}

TEST(ConfigTest, NothingMeansAllWhereThatMakesSense) {
  for (const std::string_view text :
       {"interface:\n", "interface: \"\"\n", "interface: \" \"\n", "interface: any\n",
        "interface: ~\n", "bpf:\n  source_host:\n", "bpf:\n  source_host: \"  \"\n", "bpf:\n",
        "collectors:\n", "exporter:\n  # chunk_size: 5\n", "{}\n",
        "exporter:\n  domain_name:\n"}) {
    EXPECT_EQ(Parse(text), Config()) << text;
  }
}

TEST(ConfigTest, TakesTheFormsOfYaml) {
  Config expected;
  expected.interfaces = {"eth0"};
  expected.exporter.chunk_size = 7;
  for (const std::string_view text :
       {"interface: eth0\nexporter:\n  chunk_size: 7\n",
        "interface: ' eth0 '\r\nexporter: {chunk_size: '7'}\r\n",
        "\xEF\xBB\xBFinterface: eth0\nexporter: {chunk_size: 07}\n",
        "--- # one document\n{interface: eth0, exporter: {chunk_size: 7}}\n...\n",
        "interface: &name eth0\nexporter: {chunk_size: !!int 7}\n"}) {
    EXPECT_EQ(Parse(text), expected) << text;
  }
}

TEST(ConfigTest, NotesAFileWithoutKeys) {
  for (const std::string_view text : {"", "\n\n", "# nothing\n", "---\n"}) {
    const absl::StatusOr<LoadedConfig> loaded = ParseConfig("t.yaml", text);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->config, Config());
    EXPECT_THAT(loaded->notes, ElementsAre("t.yaml sets no key: every one has its default"));
  }
  EXPECT_THAT(ParseConfig("t.yaml", "interface: any\n")->notes,
              ElementsAre("configuration read from t.yaml"));
}

TEST(ConfigTest, NotesTheNumberOfDocumentation) {
  const absl::StatusOr<LoadedConfig> loaded =
      ParseConfig("t.yaml", "exporter:\n  pen: 32473\n");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.exporter.pen, 32473u);
  EXPECT_THAT(loaded->notes,
              ElementsAre("configuration read from t.yaml",
                          StartsWith("t.yaml:2: exporter.pen: 32473 is for documentation alone")));
}

TEST(SingleValuesTest, ReadWhatTheCommandLineGives) {
  EXPECT_EQ(*ParseTier("tracepoint"), Tier::kTracepoint);
  EXPECT_EQ(*ParseLogLevel("error"), LogLevel::kError);
  EXPECT_EQ(*ParseProfileName("iana"), *ipfix::ParseProfile("iana"));
  EXPECT_EQ(ParseCollectorUrl("udp://[::1]")->endpoints.front().url, "udp://[::1]:4739");
  EXPECT_THAT(*ParseInterfaces("eth0.100"), ElementsAre("eth0.100"));
  EXPECT_THAT(*ParseInterfaces(" eth0 ,lo,eth0"), ElementsAre("eth0", "lo"));
  EXPECT_THAT(*ParseInterfaces("any"), IsEmpty());
}

TEST(SingleValuesTest, SayWhatIsAllowedWithoutNamingAPlace) {
  const auto message = [](const auto& result) { return std::string(result.status().message()); };
  EXPECT_EQ(message(ParseTier("fenty")),
            "\"fenty\" is not known (did you mean fentry?); allowed is auto, fentry, kprobe, "
            "tracepoint or pcap");
  EXPECT_EQ(message(ParseTier("")),
            "has no value; allowed is auto, fentry, kprobe, tracepoint or pcap");
  EXPECT_EQ(message(ParseLogLevel("loud")),
            "\"loud\" is not known; allowed is trace, debug, info, warning or error");
  // Which profiles and schemes there are is for others to say.
  EXPECT_THAT(message(ParseProfileName("Process")),
              StartsWith("\"Process\" is not known (did you mean process?); allowed is process"));
  EXPECT_THAT(message(ParseCollectorUrl("gopher://h")), HasSubstr("\"gopher\""));
  const std::string allowed =
      "; allowed is names of network interfaces with commas between, or any";
  EXPECT_EQ(message(ParseInterfaces("lo,eth 0")),
            "\"eth 0\" cannot be the name of an interface" + allowed);
  EXPECT_EQ(message(ParseInterfaces("lo,,eth0")),
            "\"lo,,eth0\" has a name too few between its commas" + allowed);
  EXPECT_EQ(message(ParseInterfaces("lo,any")), "\"lo,any\" has any beside other names" + allowed);
  EXPECT_EQ(ParseTier("fenty").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(KubernetesTest, IsOffUnlessAskedFor) {
  const Config::Kubernetes kubernetes = Config().kubernetes;
  EXPECT_FALSE(kubernetes.enabled);
  EXPECT_FALSE(kubernetes.from_kubelet);
  EXPECT_THAT(kubernetes.labels, IsEmpty());
  EXPECT_EQ(kubernetes.wait, seconds(1));
}

TEST(KubernetesTest, TakesAllItsKeysAndRemembersItsPlace) {
  const Config::Kubernetes kubernetes = Parse(
      "kubernetes:\n  source: kubelet\n  enabled: true\n  api_server: https://[2001:db8::1]:6443/\n"
      "  node_name: node-1.example\n  token_file: /a/token\n  ca_file: /a/ca.crt\n"
      "  labels: [app, app.kubernetes.io/name]\n  wait_milliseconds: 0\n").kubernetes;
  EXPECT_TRUE(kubernetes.enabled);
  EXPECT_TRUE(kubernetes.from_kubelet);
  EXPECT_EQ(kubernetes.api_server, "https://[2001:db8::1]:6443");
  EXPECT_EQ(kubernetes.node_name, "node-1.example");
  EXPECT_EQ(kubernetes.token_file, "/a/token");
  EXPECT_EQ(kubernetes.ca_file, "/a/ca.crt");
  EXPECT_THAT(kubernetes.labels, ElementsAre("app", "app.kubernetes.io/name"));
  EXPECT_EQ(kubernetes.wait, Duration::zero());
  EXPECT_EQ(kubernetes.place.ToString(), "t.yaml:3: kubernetes.enabled");
}

TEST(KubernetesTest, HttpsHasItsOwnPort) {
  EXPECT_EQ(Parse("kubernetes: {api_server: \"https://a.example\"}").kubernetes.api_server,
            "https://a.example:443");
  EXPECT_EQ(Parse("kubernetes: {api_server: \"https://[::1]\"}").kubernetes.api_server, "https://[::1]:443");
}

}  // namespace
}  // namespace sockflow
