// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "config/keys.h"
#include "fmt/format.h"
#include "sockflow/config.h"
#include "tests/unit/temporary_directory.h"

namespace sockflow {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;
using Policy = CollectorGroup::Policy;

class CollectorsTest : public ::testing::Test {
 protected:
  CollectorsTest() {
    for (const char* file : {"ca.pem", "host.pem", "host.key"}) {
      directory_.Write(file, "-----BEGIN\n");
    }
  }

  // "$D" is the directory of the PEM files.
  std::string Fill(std::string text) const {
    for (size_t at = 0; (at = text.find("$D", at)) != text.npos;) {
      text.replace(at, 2, directory_.path().string());
    }
    return text;
  }

  LoadedConfig Load(const std::string& text) {
    absl::StatusOr<LoadedConfig> loaded = ParseConfig("t.yaml", Fill(text));
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.ok() ? *std::move(loaded) : LoadedConfig();
  }
  std::vector<CollectorGroup> Read(const std::string& text) {
    return Load(text).config.collectors;
  }
  // Of a file with one collector.
  CollectorConfig ReadOne(const std::string& text) {
    const std::vector<CollectorGroup> groups = Read(text);
    EXPECT_THAT(groups, SizeIs(1));
    EXPECT_THAT(groups.front().collectors, SizeIs(1));
    return groups.front().collectors.front();
  }
  std::string FaultsOf(const std::string& text) {
    const absl::StatusOr<LoadedConfig> loaded = ParseConfig("t.yaml", Fill(text));
    EXPECT_EQ(loaded.status().code(), absl::StatusCode::kInvalidArgument) << text;
    return std::string(loaded.status().message());
  }

  TemporaryDirectory directory_;
};

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

struct Case {
  std::string name;
  std::string text;  // below "collectors:\n"
  std::string faults;
};

class CollectorFaultsTest : public CollectorsTest, public ::testing::WithParamInterface<Case> {};

TEST_P(CollectorFaultsTest, NameLineKeyAndWhatIsAllowed) {
  EXPECT_EQ(FaultsOf("collectors:\n" + GetParam().text), Fill(GetParam().faults));
}

constexpr std::string_view kNeitherGroup = "a group within a group; allowed are URLs, or maps with url";

const Case kCases[] = {
    // tls
    {"TlsWithUdp", "  - url: udp://a\n    tls:\n      ca: $D/ca.pem\n      server_name: b\n",
     "t.yaml:3: collectors.tls: does not go with udp://a:4739; allowed is with tls or dtls URLs"},
    {"TlsWithNoMember",
     "  - policy: hash\n    tls: {server_name: b}\n    collectors: [tcp://a, udp://a]\n",
     "t.yaml:3: collectors.tls: does not go with tcp://a:4739, udp://a:4739; allowed is with tls or "
     "dtls URLs"},
    {"CertificateAlone", "  - url: tls://a\n    tls:\n      certificate: $D/host.pem\n",
     "t.yaml:4: collectors.tls.certificate: given without key; allowed are both, or neither"},
    {"KeyAlone", "  - url: tls://a\n    tls:\n      key: $D/host.key\n",
     "t.yaml:4: collectors.tls.key: given without certificate; allowed are both, or neither"},
    {"KeyAloneOfAGroupIsToldOnce",
     "  - policy: hash\n    tls: {key: $D/host.key}\n    collectors: [tls://a, tls://b]\n",
     "t.yaml:3: collectors.tls.key: given without certificate; allowed are both, or neither"},
    {"PemMissing", "  - url: tls://a\n    tls:\n      ca: $D/none.pem\n",
     "t.yaml:4: collectors.tls.ca: $D/none.pem: cannot be read: No such file or directory; name a "
     "file that exists and that this user may read"},
    {"PemIsADirectory",
     "  - url: tls://a\n    tls: {certificate: $D, key: $D/host.key}\n",
     "t.yaml:3: collectors.tls.certificate: $D: cannot be read: it is a directory; name a file"},
    {"PemWithoutValue", "  - url: tls://a\n    tls:\n      ca:\n",
     "t.yaml:4: collectors.tls.ca: has no value; allowed is the path of a PEM file that this user "
     "may read"},
    {"BadServerName", "  - url: tls://a\n    tls: {server_name: \"*.example\"}\n",
     "t.yaml:3: collectors.tls.server_name: host \"*.example\" is neither an IP address nor a host "
     "name; allowed in a name are letters, digits, - and _ between dots"},
    {"TlsNotIndented", "  - url: tls://a\n    tls:\n    ca: $D/ca.pem\n",
     "t.yaml:4: collectors.ca: unknown key (did you mean collectors.tls.ca?); allowed in collectors "
     "are url, profile, fields, records, tls, spool, file, policy or collectors"},
    {"IndentedTooFar", "  - url: tls://a\n    tls:\n      ca: $D/ca.pem\n      profile: iana\n",
     "t.yaml:5: collectors.tls.profile: unknown key (did you mean collectors.profile?); allowed in "
     "collectors.tls are ca, certificate, key or server_name"},
    {"TlsIsAList", "  - url: tls://a\n    tls:\n      - ca: $D/ca.pem\n",
     "t.yaml:3: collectors.tls: a list where a section belongs; allowed are, indented below it, the "
     "keys ca, certificate, key, server_name"},
    {"TlsIsAValue", "  - url: tls://a\n    tls: true\n",
     "t.yaml:3: collectors.tls: a single value where a section belongs; allowed are, indented below "
     "it, the keys ca, certificate, key, server_name"},
    {"TlsWithATab", "  - url: tls://a\n    tls:\n\tca: $D/ca.pem\n",
     "t.yaml:4: YAML: end of map not found at column 2; indent with blanks, not with a tab"},
    {"KeyWithDot", "  - url: tls://a\n    tls.ca: $D/ca.pem\n",
     "t.yaml:3: collectors.tls.ca: write it as a section: \"tls:\", and \"ca:\" indented below it"},
    {"KeyTwiceInASection", "  - url: tls://a\n    tls: {server_name: a, server_name: b}\n",
     "t.yaml:3: collectors.tls.server_name: given twice, first in line 3; allowed is once"},
    {"KeyOfTwoSections", "  - url: tcp://a\n    max_bytes: 1048576\n",
     "t.yaml:3: collectors.max_bytes: unknown key (did you mean collectors.spool.max_bytes or "
     "collectors.file.max_bytes?); allowed in collectors are url, profile, fields, records, tls, "
     "spool, file, policy or collectors"},
    // spool
    {"SpoolWithFile", "  - url: file:/d/f\n    spool: {directory: /s}\n",
     "t.yaml:3: collectors.spool: does not go with file:/d/f; allowed is with udp, tcp, sctp, tls or "
     "dtls URLs"},
    {"SpoolWithStdout", "  - url: \"stdout:\"\n    spool: {directory: /s}\n",
     "t.yaml:3: collectors.spool: does not go with stdout:; allowed is with udp, tcp, sctp, tls or "
     "dtls URLs"},
    {"SpoolIsRelative", "  - url: tcp://a\n    spool: {directory: spool/c1}\n",
     "t.yaml:3: collectors.spool.directory: \"spool/c1\" is not absolute; allowed is the absolute "
     "path of a directory"},
    {"SpoolWithoutDirectory", "  - url: tcp://a\n    spool:\n      max_bytes: 1048576\n",
     "t.yaml:4: collectors.spool.max_bytes: given without directory; allowed is beside it: without "
     "a directory there is no spool"},
    {"SpoolOfAGroupWithoutDirectory",
     "  - policy: hash\n    spool: {max_bytes: 1048576}\n    collectors: [tcp://a, tcp://b]\n",
     "t.yaml:3: collectors.spool.max_bytes: given without directory; allowed is beside it: without "
     "a directory there is no spool"},
    {"SpoolTooSmall", "  - url: tcp://a\n    spool: {directory: /s, max_bytes: 1}\n",
     "t.yaml:3: collectors.spool.max_bytes: \"1\" is out of range; allowed is a whole number from "
     "1048576 to 1099511627776"},
    {"SpoolWithUnit", "  - url: tcp://a\n    spool: {directory: /s, max_bytes: 1GiB}\n",
     "t.yaml:3: collectors.spool.max_bytes: \"1GiB\" is not a whole number; allowed is a whole "
     "number from 1048576 to 1099511627776"},
    {"SpoolShared",
     "  - url: tcp://a\n    spool: {directory: /s/a}\n"
     "  - url: tcp://b\n    spool: {directory: /s//a/}\n",
     "t.yaml:5: collectors.spool.directory: /s/a is the spool of tcp://a:4739 already (in line 2); "
     "give each collector its own"},
    {"SpoolSharedByAGroup",
     "  - policy: hash\n    spool: {directory: /s}\n    collectors: [tcp://a, tcp://b]\n",
     "t.yaml:3: collectors.spool.directory: /s is the spool of tcp://a:4739 already (in line 4); "
     "give each collector its own"},
    // file and stdout
    {"FileKeysWithTcp", "  - url: tcp://a\n    file: {compression: gzip}\n",
     "t.yaml:3: collectors.file: does not go with tcp://a:4739; allowed is with file URLs"},
    {"UnknownCompression", "  - url: file:/d/f\n    file: {compression: gz}\n",
     "t.yaml:3: collectors.file.compression: \"gz\" is not known; allowed is none, gzip or zstd"},
    {"FileSizeOutOfRange", "  - url: file:/d/f\n    file: {max_bytes: 262143}\n",
     "t.yaml:3: collectors.file.max_bytes: \"262143\" is out of range; allowed is a whole number "
     "from 262144 to 1099511627776"},
    {"FileAgeWithUnit", "  - url: file:/d/f\n    file: {max_seconds: 1h}\n",
     "t.yaml:3: collectors.file.max_seconds: \"1h\" is not a number of seconds; allowed is a number "
     "of seconds from 1 to 2678400"},
    {"FileTwice", "  - file:/d/f\n  - {url: \"file:/d/f\", profile: iana}\n",
     "t.yaml:3: collectors.url: file:/d/f is another collector's already, in line 2; allowed is "
     "once"},
    {"StdoutTwice",
     "  - url: \"stdout:\"\n  - policy: failover\n    collectors: [tcp://a, \"stdout:\"]\n",
     "t.yaml:4: collectors.url: stdout: is another collector's already, in line 2; allowed is once"},
    // profile, fields, records
    {"ProfileAndFields", "  - url: udp://a\n    profile: iana\n    fields: [flowId]\n",
     "t.yaml:4: collectors.fields: given beside collectors.profile (line 3); allowed is one of the "
     "two"},
    {"FieldsAndProfile", "  - fields: [flowId]\n    url: udp://a\n    profile: iana\n",
     "t.yaml:4: collectors.profile: given beside collectors.fields (line 2); allowed is one of the "
     "two"},
    {"FieldsEmpty", "  - url: udp://a\n    fields: []\n",
     "t.yaml:3: collectors.fields: is empty; allowed is a list [...] of names of information "
     "elements, as \"sockflow fields\" lists them"},
    {"FieldsIsAValue", "  - url: udp://a\n    fields: flowId\n",
     "t.yaml:3: collectors.fields: a single value where a list belongs; allowed is a list [...] of "
     "names of information elements, as \"sockflow fields\" lists them"},
    {"FieldsHoldAList", "  - url: udp://a\n    fields:\n      - flowId\n      - [octetDeltaCount]\n",
     "t.yaml:5: collectors.fields: a list within the list; allowed is a list [...] of names of "
     "information elements, as \"sockflow fields\" lists them"},
    {"FieldTwice", "  - url: udp://a\n    fields: [flowId, flowId]\n",
     "t.yaml:3: collectors.fields: \"flowId\" given twice; allowed is once"},
    {"RecordsEmpty", "  - url: udp://a\n    records: []\n",
     "t.yaml:3: collectors.records: is empty; allowed is a list [...] of start, update or end"},
    {"RecordsIsAValue", "  - url: udp://a\n    records: end\n",
     "t.yaml:3: collectors.records: a single value where a list belongs; allowed is a list [...] of "
     "start, update or end"},
    {"RecordsIsAMap", "  - url: udp://a\n    records: {start: true}\n",
     "t.yaml:3: collectors.records: a map where a list belongs; allowed is a list [...] of start, "
     "update or end"},
    {"RecordUnknown", "  - url: udp://a\n    records:\n      - start\n      - ends\n",
     "t.yaml:5: collectors.records: \"ends\" is not known (did you mean end?); allowed is start, "
     "update or end"},
    {"RecordTwice", "  - url: udp://a\n    records: [end, end]\n",
     "t.yaml:3: collectors.records: \"end\" given twice; allowed is once"},
    {"RecordIsNothing", "  - url: udp://a\n    records: [end, ~]\n",
     "t.yaml:3: collectors.records: has no value; allowed is start, update or end"},
    // groups
    {"PolicyUnknown", "  - policy: faliover\n    collectors: [tcp://a]\n",
     "t.yaml:2: collectors.policy: \"faliover\" is not known (did you mean failover?); allowed is "
     "replicate, failover or hash"},
    {"PolicyWithoutCollectors", "  - policy: hash\n    profile: iana\n",
     "t.yaml:2: collectors.policy: given without collectors; allowed is with a list of URLs, or of "
     "maps with url below collectors"},
    {"PolicyOfOneCollector", "  - url: udp://a\n    policy: hash\n",
     "t.yaml:2: collectors.url: given for a group, which has none of its own; write it into the "
     "list of its collectors\n"
     "t.yaml:3: collectors.policy: given without collectors; allowed is with a list of URLs, or of "
     "maps with url below collectors"},
    {"CollectorsWithoutPolicy", "  - collectors: [udp://a]\n",
     "t.yaml:2: collectors.policy: missing; allowed is replicate, failover or hash"},
    {"GroupEmpty", "  - policy: hash\n    collectors: []\n",
     "t.yaml:3: collectors.collectors: is empty; allowed is a list of URLs, or of maps with url"},
    {"GroupOfNothing", "  - policy: hash\n    collectors:\n",
     "t.yaml:3: collectors.collectors: is empty; allowed is a list of URLs, or of maps with url"},
    {"GroupIsAValue", "  - policy: hash\n    collectors: udp://a\n",
     "t.yaml:3: collectors.collectors: a single value where a list belongs; allowed is a list of "
     "URLs, or of maps with url"},
    {"GroupInAGroup",
     "  - policy: hash\n    collectors:\n      - udp://a\n      - policy: failover\n"
     "        collectors: [tcp://a, tcp://b]\n",
     "t.yaml:5: collectors.policy: " + std::string(kNeitherGroup)},
    {"GroupInAGroupWithoutPolicy", "  - policy: hash\n    collectors: [{collectors: [udp://a]}]\n",
     "t.yaml:3: collectors.collectors: " + std::string(kNeitherGroup)},
    {"FailoverMemberWithProfile",
     "  - policy: failover\n    collectors:\n      - tcp://a\n      - url: tcp://b\n"
     "        profile: iana\n        spool:\n          directory: /s\n",
     "t.yaml:6: collectors.profile: given for one of a failover group, which has one queue for all; "
     "write it at the group (line 2)\n"
     "t.yaml:8: collectors.spool.directory: given for one of a failover group, which has one queue "
     "for all; write it at the group (line 2)"},
    {"FailoverMemberTwice", "  - policy: failover\n    collectors: [tcp://a, \"tcp://a:4739\"]\n",
     "t.yaml:3: collectors.url: tcp://a:4739 is listed twice in one failover group, first in line 3; "
     "allowed is once"},
    {"HashMemberTwice", "  - policy: hash\n    collectors:\n      - udp://a\n      - udp://a\n",
     "t.yaml:5: collectors.url: udp://a:4739 is listed twice with the same keys, first in line 4; "
     "allowed is once"},
    {"SameInAndOutOfAGroup", "  - policy: hash\n    collectors: [udp://b, udp://a]\n  - udp://a\n",
     "t.yaml:3: collectors.url: udp://a:4739 is listed twice with the same keys, first in line 4; "
     "allowed is once"},
    {"FaultsOfMembersAreAllTold",
     "  - policy: hash\n    collectors:\n      - udp://a:0\n      - {url: udp://b, profil: iana}\n",
     "t.yaml:4: collectors.url: port \"0\" is wrong; allowed is 1 to 65535\n"
     "t.yaml:5: collectors.profil: unknown key (did you mean profile?); allowed in collectors are "
     "url, profile, fields, records, tls, spool, file, policy or collectors"},
};

INSTANTIATE_TEST_SUITE_P(All, CollectorFaultsTest, ::testing::ValuesIn(kCases),
                         [](const auto& instance) { return instance.param.name; });

TEST_F(CollectorsTest, UnknownFieldNamesTheNearest) {
  const std::string faults = FaultsOf(
      "collectors:\n"
      "  - url: udp://a\n"
      "    fields: [flowId, sourceIPv5Address]\n");
  EXPECT_THAT(faults, StartsWith("t.yaml:3: collectors.fields: "));
  EXPECT_THAT(faults, HasSubstr("sourceIPv5Address"));
  EXPECT_THAT(faults, HasSubstr("sourceIPv4Address"));
  EXPECT_THAT(faults, HasSubstr("sourceIPv6Address"));
}

TEST_F(CollectorsTest, MembersCountAsCollectors) {
  std::string text = "collectors:\n  - udp://z\n  - policy: hash\n    collectors:\n";
  for (int i = 1; i <= 64; ++i) text += fmt::format("      - udp://a:{}\n", i);
  EXPECT_EQ(FaultsOf(text),
            "t.yaml:1: collectors: 65 collectors are too many; allowed are up to 64");
}

TEST_F(CollectorsTest, NamesAreBounded) {
  std::string text = "collectors:\n  - url: udp://a\n    fields:\n";
  for (int i = 1; i <= 257; ++i) text += "      - x\n";
  EXPECT_EQ(FaultsOf(text),
            "t.yaml:3: collectors.fields: 257 names are too many; allowed are up to 256");
}

TEST_F(CollectorsTest, GroupThatHoldsItself) {
  EXPECT_EQ(FaultsOf("collectors: &all\n  - policy: hash\n    collectors: *all\n"),
            "t.yaml:2: collectors.policy: " + std::string(kNeitherGroup));
}

}  // namespace
}  // namespace sockflow
