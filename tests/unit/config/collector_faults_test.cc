// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "fmt/format.h"
#include "tests/unit/config/collectors_fixture.h"

namespace sockflow {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

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
