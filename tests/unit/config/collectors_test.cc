// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "config/keys.h"
#include "fmt/format.h"
#include "sockflow/config.h"
#include "tests/unit/config/collectors_fixture.h"

namespace sockflow {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;
using Policy = CollectorGroup::Policy;

std::vector<std::string> UrlsOf(const CollectorConfig& collector) {
  std::vector<std::string> urls;
  for (const EndpointConfig& endpoint : collector.endpoints) urls.push_back(endpoint.url);
  return urls;
}

TEST_F(CollectorsTest, ReadsEveryKey) {
  const CollectorConfig one = ReadOne(
      "collectors:\n"
      "  - url: tls://collector.example:4800\n"
      "    profile: iana\n"
      "    records: [end]\n"
      "    tls:\n"
      "      ca: $D/ca.pem\n"
      "      certificate: $D/host.pem\n"
      "      key: $D/host.key\n"
      "      server_name: flows.example\n"
      "    spool:\n"
      "      directory: /var//spool/./sockflow/c1/\n"
      "      max_bytes: 1048576\n");
  CollectorConfig expected = *ParseCollectorUrl("tls://collector.example:4800");
  expected.profile = *ipfix::ParseProfile("iana");
  expected.records = {.start = false, .update = false, .end = true};
  expected.endpoints.front().tls = {.ca = Fill("$D/ca.pem"),
                                    .certificate = Fill("$D/host.pem"),
                                    .key = Fill("$D/host.key"),
                                    .server_name = "flows.example",
                                    .place = {}};
  expected.spool = {.directory = "/var/spool/sockflow/c1", .max_bytes = 1048576, .place = {}};
  EXPECT_EQ(one, expected);

  const CollectorConfig file = ReadOne(
      "collectors:\n"
      "  - url: file:/var/lib/sockflow/sessions\n"
      "    records: [end, update, start]\n"
      "    fields: [flowId, sourceIPv4Address, applicationName]\n"
      "    file: {max_bytes: 262144, max_seconds: 1.5, compression: zstd}\n");
  EXPECT_THAT(file.fields, ElementsAre("flowId", "sourceIPv4Address", "applicationName"));
  EXPECT_EQ(file.records, RecordChoice());
  EXPECT_EQ(file.file.max_bytes, 262144u);
  EXPECT_EQ(file.file.max_age, std::chrono::milliseconds(1500));
  EXPECT_EQ(file.file.compression, Compression::kZstd);
}

TEST_F(CollectorsTest, TakesEachProfileThatThereIs) {
  for (const std::string_view name : ipfix::ProfileNames()) {
    EXPECT_EQ(ReadOne(fmt::format("collectors: [{{url: udp://a, profile: {}}}]\n", name)).profile,
              *ipfix::ParseProfile(name));
  }
}

TEST_F(CollectorsTest, KnowsWhereThingsStand) {
  const CollectorConfig one = ReadOne(
      "collectors:\n"
      "  - profile: iana\n"
      "    url: tls://h\n"
      "    spool:\n"
      "      directory: /s\n"
      "    tls:\n"
      "      ca: $D/ca.pem\n");
  EXPECT_EQ(one.place.ToString(), "t.yaml:2: collectors");
  EXPECT_EQ(one.endpoints.front().place.ToString(), "t.yaml:3: collectors.url");
  EXPECT_EQ(one.spool.place.ToString(), "t.yaml:5: collectors.spool.directory");
  EXPECT_EQ(one.endpoints.front().tls.place.ToString(), "t.yaml:6: collectors.tls");
  EXPECT_EQ((Place{.file = "", .line = 0, .key = "--collector"}).ToString(), "--collector");
}

TEST_F(CollectorsTest, ComparesWithoutPlaces) {
  const std::string text =
      "collectors:\n"
      "  - url: tls://a\n"
      "    tls: {server_name: b}\n"
      "  - policy: hash\n"
      "    collectors: [udp://b, udp://c]\n";
  EXPECT_EQ(Read(text), Read("# moved\n" + text));
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"tls://a", "tls://z"}, {"server_name: b", "server_name: z"}, {"hash", "replicate"},
           {"udp://c", "{url: udp://c, records: [end]}"},
           {"udp://c", "{url: udp://c, profile: iana}"},
           {"udp://c", "{url: udp://c, fields: [flowId]}"},
           {"udp://c", "{url: udp://c, spool: {directory: /s}}"}}) {
    std::string other = text;
    other.replace(other.find(from), from.size(), to);
    EXPECT_NE(Read(text), Read(other)) << to;
  }
}

TEST_F(CollectorsTest, ReplicateIsThePlainList) {
  EXPECT_EQ(Read("collectors:\n"
                 "  - udp://a\n"
                 "  - policy: replicate\n"
                 "    profile: iana\n"
                 "    collectors: [udp://b, {url: udp://c, profile: process}]\n"
                 "  - udp://d\n"),
            Read("collectors:\n"
                 "  - udp://a\n"
                 "  - {url: udp://b, profile: iana}\n"
                 "  - udp://c\n"
                 "  - udp://d\n"));
}

TEST_F(CollectorsTest, FailoverIsOneCollector) {
  const CollectorConfig one = ReadOne(
      "collectors:\n"
      "  - policy: failover\n"
      "    profile: iana\n"
      "    spool: {directory: /s}\n"
      "    tls: {ca: $D/ca.pem, server_name: group.example}\n"
      "    collectors:\n"
      "      - tls://a.example\n"
      "      - url: tls://b.example\n"
      "        tls: {server_name: b.example}\n"
      "      - tcp://c.example\n");
  EXPECT_THAT(UrlsOf(one), ElementsAre("tls://a.example:4740", "tls://b.example:4740",
                                       "tcp://c.example:4739"));
  EXPECT_EQ(one.profile, *ipfix::ParseProfile("iana"));
  EXPECT_EQ(one.spool.directory, "/s");
  EXPECT_EQ(one.endpoints[0].tls.server_name, "group.example");
  EXPECT_EQ(one.endpoints[1].tls.server_name, "b.example");
  EXPECT_EQ(one.endpoints[1].tls.ca, Fill("$D/ca.pem"));
  EXPECT_EQ(one.endpoints[2].tls, TlsConfig());  // its URL has no use for them
}

TEST_F(CollectorsTest, HashIsAGroupOfItsOwn) {
  const std::vector<CollectorGroup> groups = Read(
      "collectors:\n"
      "  - policy: hash\n"
      "    records: [end]\n"
      "    fields: [flowId]\n"
      "    collectors:\n"
      "      - udp://a\n"
      "      - url: udp://b\n"
      "        profile: iana\n"
      "      - {url: udp://c, records: [start]}\n"
      "  - udp://d\n"
      "  - policy: hash\n"
      "    collectors: [udp://e]\n"
      "  - policy: failover\n"
      "    collectors: [udp://f]\n");
  ASSERT_THAT(groups, SizeIs(3));
  EXPECT_EQ(groups[0].policy, Policy::kReplicate);
  ASSERT_THAT(groups[0].collectors, SizeIs(2));
  EXPECT_THAT(UrlsOf(groups[0].collectors[0]), ElementsAre("udp://d:4739"));
  EXPECT_THAT(UrlsOf(groups[0].collectors[1]), ElementsAre("udp://f:4739"));
  EXPECT_EQ(groups[1].policy, Policy::kHash);
  ASSERT_THAT(groups[1].collectors, SizeIs(3));
  const auto& [a, b, c] = std::tie(groups[1].collectors[0], groups[1].collectors[1],
                                   groups[1].collectors[2]);
  EXPECT_THAT(a.fields, ElementsAre("flowId"));
  EXPECT_EQ(a.records, (RecordChoice{.start = false, .update = false, .end = true}));
  // A profile of its own takes the place of the group's fields.
  EXPECT_TRUE(b.fields.empty());
  EXPECT_EQ(b.profile, *ipfix::ParseProfile("iana"));
  EXPECT_EQ(c.records, (RecordChoice{.start = true, .update = false, .end = false}));
  EXPECT_EQ(groups[2].policy, Policy::kHash);
  EXPECT_THAT(UrlsOf(groups[2].collectors[0]), ElementsAre("udp://e:4739"));
}

TEST_F(CollectorsTest, GroupWithoutPlainCollectorsStandsAlone) {
  const std::vector<CollectorGroup> groups =
      Read("collectors: [{policy: hash, collectors: [udp://a, udp://b]}]\n");
  ASSERT_THAT(groups, SizeIs(1));
  EXPECT_EQ(groups[0].policy, Policy::kHash);
}

// YAML takes the colon at the end of a URL for that of a key.
TEST_F(CollectorsTest, UrlThatEndsInAColonNeedsNoQuotes) {
  EXPECT_EQ(Read("collectors:\n  - stdout:\n"), Read("collectors: [\"stdout:\"]\n"));
  EXPECT_THAT(UrlsOf(ReadOne("collectors:\n"
                             "  - policy: failover\n"
                             "    collectors:\n"
                             "      - tcp://a\n"
                             "      - stdout:\n")),
              ElementsAre("tcp://a:4739", "stdout:"));
  EXPECT_THAT(FaultsOf("collectors:\n  - stduot:\n"), HasSubstr("collectors.stduot: unknown key"));
  EXPECT_THAT(FaultsOf("collectors:\n  - profile:\n"), HasSubstr("collectors.profile: has no value"));
}

TEST_F(CollectorsTest, NotesTlsWithoutCertificate) {
  const LoadedConfig loaded = Load(
      "collectors:\n"
      "  - udp://a\n"
      "  - tls://b\n"
      "  - url: dtls://c\n"
      "    tls: {certificate: $D/host.pem, key: $D/host.key}\n");
  EXPECT_THAT(loaded.notes,
              ElementsAre("configuration read from t.yaml",
                          StartsWith("t.yaml:3: collectors.url: tls://b:4740 has no "
                                     "tls.certificate and tls.key: ")));
}

TEST_F(CollectorsTest, SameUrlMayBeListedForAnotherPurpose) {
  EXPECT_THAT(Read("collectors:\n"
                   "  - udp://a\n"
                   "  - {url: udp://a, profile: iana}\n"
                   "  - {url: udp://a, records: [end]}\n")
                  .front()
                  .collectors,
              SizeIs(3));
}

// The command line lays its own collectors over the file's.
TEST_F(CollectorsTest, ChecksCollectorsFromAnywhere) {
  std::vector<CollectorGroup> groups(1);
  for (int i = 0; i < 2; ++i) {
    groups[0].collectors.push_back(*ParseCollectorUrl("stdout:"));
    groups[0].collectors.back().endpoints[0].place.key = "--collector";
  }
  EXPECT_EQ(std::string(CheckCollectors(groups).message()),
            "--collector: stdout: is another collector's already, as --collector; allowed is once");
  groups[0].collectors.pop_back();
  EXPECT_TRUE(CheckCollectors(groups).ok());
}

TEST_F(CollectorsTest, ReadsALongFile) {
  const LoadedConfig loaded = Load(
      "# Site: two rooms\n"
      "interface: any\n"
      "capture: {max_sessions: 1048576}\n"
      "exporter:\n"
      "  domain_name: rack 7\n"
      "  queue_bytes: 33554432\n"
      "  statistics_seconds: 300\n"
      "log:\n"
      "  level: warning\n"
      "collectors:\n"
      "  # The old flow tool.\n"
      "  - url: udp://192.0.2.10:9995\n"
      "    profile: iana\n"
      "    records: [end]\n"
      "\n"
      "  # The archive, in either room.\n"
      "  - policy: failover\n"
      "    tls: &ours\n"
      "      ca: $D/ca.pem\n"
      "      certificate: $D/host.pem\n"
      "      key: $D/host.key\n"
      "    spool:\n"
      "      directory: /var/spool/sockflow/archive\n"
      "      max_bytes: 10737418240\n"
      "    collectors:\n"
      "      - tls://archive-a.example\n"
      "      - tls://archive-b.example\n"
      "\n"
      "  - policy: hash\n"
      "    tls: *ours\n"
      "    collectors:\n"
      "      - dtls://analysis-1.example\n"
      "      - dtls://analysis-2.example\n"
      "      - url: udp://[2001:db8::17]\n"
      "        fields:\n"
      "          - flowId\n"
      "          - sourceIPv6Address\n"
      "\n"
      "  - url: file:/var/lib/sockflow/sessions\n"
      "    file: {max_seconds: 600, compression: gzip}\n"
      "  - stdout:\n");
  EXPECT_THAT(loaded.notes, SizeIs(1));
  const std::vector<CollectorGroup>& groups = loaded.config.collectors;
  ASSERT_THAT(groups, SizeIs(2));
  ASSERT_THAT(groups[0].collectors, SizeIs(4));
  EXPECT_EQ(groups[0].collectors[1].endpoints[1].tls.key, Fill("$D/host.key"));
  EXPECT_EQ(groups[0].collectors[2].file.max_age, seconds(600));
  EXPECT_THAT(UrlsOf(groups[0].collectors[3]), ElementsAre("stdout:"));
  ASSERT_THAT(groups[1].collectors, SizeIs(3));
  EXPECT_EQ(groups[1].collectors[0].endpoints[0].tls.ca, Fill("$D/ca.pem"));
  EXPECT_EQ(groups[1].collectors[2].endpoints[0].tls, TlsConfig());
  EXPECT_EQ(groups[1].collectors[2].fields[1], "sourceIPv6Address");
  EXPECT_EQ(loaded.config.exporter.domain_name, "rack 7");
}

// What config.example.yaml shows of collectors is no comment to look at: it works.
TEST_F(CollectorsTest, ExampleOfTheTableIsRead) {
  const std::string_view prose = config::FindKey("collectors")->prose;
  const std::string text(prose.substr(prose.find("  collectors:\n")));
  std::string plain;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    plain += text.substr(at + 2, end - at - 2) + "\n";
    at = end + 1;
  }
  EXPECT_THAT(Read(plain), SizeIs(2));
}

}  // namespace
}  // namespace sockflow
