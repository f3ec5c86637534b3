// SPDX-License-Identifier: MIT
#include "agent/startup_line.h"

#include "gtest/gtest.h"

namespace sockflow {
namespace {

TEST(StartupLineTest, OfDefaults) {
  EXPECT_EQ(StartupLine(Config(), "fentry", "6.1.0"),
            "sockflow " SOCKFLOW_VERSION " on Linux 6.1.0: tier fentry; facts: processes, users, containers; to "
            "udp://127.0.0.1:4739 (process, start+update+end); metrics off");
}

TEST(StartupLineTest, TellsWhatIsOnAndNoSecretPlaces) {
  const auto loaded = ParseConfig("c.yaml", R"(
collectors:
  - url: udp://192.0.2.1
    fields: [flowId, applicationName]
    records: [end]
    spool: {directory: /var/lib/hidden}
  - policy: failover
    collectors: [tcp://a.example, tcp://b.example]
  - policy: hash
    profile: iana
    collectors: [udp://c.example, udp://d.example]
process: {command_line: true}
kubernetes: {enabled: true, token_file: /run/hidden}
metrics: {listen: "[::1]:9841"}
)");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(StartupLine(loaded->config, "pcap", "5.10"),
            "sockflow " SOCKFLOW_VERSION " on Linux 5.10: tier pcap; facts: processes, users, containers, command "
            "lines, pods; to udp://192.0.2.1:4739 (2 fields, end, spool), tcp://a.example:4739 else "
            "tcp://b.example:4739 (process, start+update+end), by hash to one of udp://c.example:4739 (iana, "
            "start+update+end) | udp://d.example:4739 (iana, start+update+end); metrics [::1]:9841");
}

}  // namespace
}  // namespace sockflow
