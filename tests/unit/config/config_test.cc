// SPDX-License-Identifier: MIT
#include "sockflow/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace sockflow {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;

Config Parse(std::string_view text) {
  const absl::StatusOr<LoadedConfig> loaded = ParseConfig("t.yaml", text);
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  return loaded.ok() ? loaded->config : Config();
}

TEST(ConfigTest, Defaults) {
  const Config config;
  EXPECT_EQ(config.interface, "");
  EXPECT_EQ(config.source_host, "");
  EXPECT_THAT(config.collectors,
              ElementsAre(CollectorConfig{"udp://127.0.0.1:4739", ipfix::Profile::kProcess}));
  EXPECT_EQ(config.capture.tier, std::nullopt);
  EXPECT_EQ(config.capture.ring_buffer_bytes, 4194304u);
  EXPECT_EQ(config.capture.max_sessions, 262144u);
  EXPECT_EQ(config.exporter.interval, seconds(1));
  EXPECT_EQ(config.exporter.chunk_size, 0u);
  EXPECT_EQ(config.exporter.template_refresh, seconds(30));
  EXPECT_EQ(config.exporter.template_refresh_packets, 0u);
  EXPECT_EQ(config.exporter.max_message_bytes, 1400u);
  EXPECT_EQ(config.exporter.observation_domain, 1u);
  EXPECT_EQ(config.log.level, LogLevel::kInfo);
  EXPECT_EQ(config.log.stats_interval, seconds(60));
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
  expected.interface = "eth0";
  expected.collectors = {{"udp://192.0.2.7:2055"}};
  expected.exporter.interval = seconds(5);
  expected.exporter.chunk_size = 10;
  EXPECT_EQ(config, expected);
}

TEST(ConfigTest, ReadsEveryKey) {
  const Config config = Parse(
      "interface: wlan0\n"
      "bpf: {source_host: sensor.example}\n"
      "collectors:\n"
      "  - url: udp://[2001:db8::1]\n"
      "    profile: iana\n"
      "  - udp://flows.example:2055\n"
      "  - {url: UDP://192.0.2.1}\n"
      "capture:\n"
      "  tier: kprobe\n"
      "  ring_buffer_bytes: 65536\n"
      "  max_sessions: 1024\n"
      "exporter:\n"
      "  interval_seconds: 0.25\n"
      "  chunk_size: 65535\n"
      "  template_refresh_seconds: 600\n"
      "  template_refresh_packets: 20\n"
      "  max_message_bytes: 512\n"
      "  observation_domain: 4294967295\n"
      "log:\n"
      "  level: debug\n"
      "  stats_interval_seconds: 0\n");
  EXPECT_EQ(config.interface, "wlan0");
  EXPECT_EQ(config.source_host, "sensor.example");
  EXPECT_THAT(config.collectors,
              ElementsAre(CollectorConfig{"udp://[2001:db8::1]:4739", *ipfix::ParseProfile("iana")},
                          CollectorConfig{"udp://flows.example:2055"},
                          CollectorConfig{"udp://192.0.2.1:4739"}));
  EXPECT_EQ(config.capture.tier, Tier::kKprobe);
  EXPECT_EQ(config.capture.ring_buffer_bytes, 65536u);
  EXPECT_EQ(config.capture.max_sessions, 1024u);
  EXPECT_EQ(config.exporter.interval, milliseconds(250));
  EXPECT_EQ(config.exporter.chunk_size, 65535u);
  EXPECT_EQ(config.exporter.template_refresh, seconds(600));
  EXPECT_EQ(config.exporter.template_refresh_packets, 20u);
  EXPECT_EQ(config.exporter.max_message_bytes, 512u);
  EXPECT_EQ(config.exporter.observation_domain, 4294967295u);
  EXPECT_EQ(config.log.level, LogLevel::kDebug);
  EXPECT_EQ(config.log.stats_interval, seconds(0));
}

TEST(ConfigTest, CollectorHostAndPortMakeOneCollector) {
  EXPECT_EQ(Parse("collector: {host: \"2001:db8::1\"}\n").collectors.front().url,
            "udp://[2001:db8::1]:4739");
  EXPECT_EQ(Parse("collector: {port: 9995}\n").collectors.front().url, "udp://127.0.0.1:9995");
  EXPECT_EQ(Parse("collector: {host: sink}\ncollectors: []\n").collectors.front().url,
            "udp://sink:4739");
}

TEST(ConfigTest, NothingMeansAllWhereThatMakesSense) {
  for (const std::string_view text :
       {"interface:\n", "interface: \"\"\n", "interface: \" \"\n", "interface: any\n",
        "interface: ~\n", "bpf:\n  source_host:\n", "bpf:\n  source_host: \"  \"\n", "bpf:\n",
        "collectors:\n", "exporter:\n  # chunk_size: 5\n", "{}\n"}) {
    EXPECT_EQ(Parse(text), Config()) << text;
  }
}

TEST(ConfigTest, TakesTheFormsOfYaml) {
  Config expected;
  expected.interface = "eth0";
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

TEST(SingleValuesTest, ReadWhatTheCommandLineGives) {
  EXPECT_EQ(*ParseTier("tracepoint"), Tier::kTracepoint);
  EXPECT_EQ(*ParseLogLevel("error"), LogLevel::kError);
  EXPECT_EQ(*ParseProfileName("iana"), *ipfix::ParseProfile("iana"));
  EXPECT_EQ(*ParseCollectorUrl("udp://[::1]"), "udp://[::1]:4739");
  EXPECT_EQ(*ParseInterfaceName("any"), "");
  EXPECT_EQ(*ParseInterfaceName("eth0.100"), "eth0.100");
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
  EXPECT_EQ(message(ParseProfileName("Process")),
            "\"Process\" is not known (did you mean process?); allowed is process or iana");
  EXPECT_EQ(message(ParseCollectorUrl("sctp://h")),
            "scheme \"sctp\" is not supported; allowed is udp, tcp, tls, dtls, file, stdout");
  EXPECT_EQ(message(ParseInterfaceName("eth 0")),
            "\"eth 0\" cannot be the name of an interface; allowed is the name of a network "
            "interface, or any");
  EXPECT_EQ(ParseTier("fenty").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sockflow
