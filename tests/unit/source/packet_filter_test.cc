// SPDX-License-Identifier: MIT
#include "source/pcap/packet_filter.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "source/pcap/packet_parser.h"
#include "tests/unit/source/packet_builder.h"

namespace sockflow::pcap {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kEthernet = static_cast<uint32_t>(LinkType::kEthernet);

std::string Complaint(const std::string& expression) {
  return std::string(CheckExpression(expression).message());
}

TEST(CheckExpressionTest, SaysWhereLibpcapStopped) {
  EXPECT_TRUE(CheckExpression("").ok());
  EXPECT_TRUE(CheckExpression("tcp port 443 and not net 10.0.0.0/8").ok());
  EXPECT_THAT(Complaint("tcp port 80 adn port 81"),
              testing::AllOf(HasSubstr("syntax error"), HasSubstr(", at column 13: \"adn port 81\"")));
  EXPECT_THAT(Complaint("port 70000"), HasSubstr("column 1: \"port 70000\""));
  EXPECT_THAT(Complaint("port 80 and (port 81"), HasSubstr("column 9: \"and (port 81\""));
  EXPECT_THAT(Complaint("host"), HasSubstr("column 1: \"host\""));
  EXPECT_EQ(CheckExpression("host").code(), absl::StatusCode::kInvalidArgument);
}

class ExpressionTest : public ::testing::Test {
 protected:
  void Want(const FilterOptions& options, bool with_vlans = true, uint32_t link_type = kEthernet) {
    auto filter = PacketFilter::Compile(link_type, ExpressionOf(options, with_vlans));
    ASSERT_TRUE(filter.ok()) << filter.status();
    filter_ = *std::move(filter);
  }
  bool Keeps(const Octets& octets) const {
    return filter_->Keeps(octets, static_cast<uint32_t>(octets.size()));
  }

  static Octets V4(uint8_t flags, const Octets& tags = {}, uint16_t type = 0x0800) {
    return BuildEthernet(type, Join({tags, Build(Ipv4{}, Build(Tcp{.flags = flags}))}));
  }
  static Octets V6(uint8_t flags, const Octets& tags = {}, uint16_t type = 0x86dd) {
    return BuildEthernet(type, Join({tags, BuildIpv6(Build(Tcp{.flags = flags}))}));
  }

  std::unique_ptr<PacketFilter> filter_;
};

TEST_F(ExpressionTest, BeginningAndEndOfASessionAloneAreWanted) {
  Want({});
  for (const uint8_t flags : {0x02, 0x12, 0x01, 0x11, 0x19, 0x04, 0x14}) {
    EXPECT_TRUE(Keeps(V4(flags))) << int{flags};
    EXPECT_TRUE(Keeps(V6(flags))) << int{flags};
  }
  for (const uint8_t flags : {0x10, 0x18, 0x00, 0x20}) {
    EXPECT_FALSE(Keeps(V4(flags))) << int{flags};
    EXPECT_FALSE(Keeps(V6(flags))) << int{flags};
  }
  const Octets udp = Build(Ipv4{.protocol = 17}, Octets(20, 0xff));
  EXPECT_FALSE(Keeps(BuildEthernet(0x0800, udp)));
  EXPECT_FALSE(Keeps(BuildEthernet(0x0806, Octets(60, 0xff))));
}

TEST_F(ExpressionTest, FragmentsThatHaveNoHeaderAreNotTakenForFlags) {
  Want({});
  const Octets tcp = Build(Tcp{.flags = 0x02});
  EXPECT_TRUE(Keeps(BuildEthernet(0x0800, Build(Ipv4{.fragment = 0x2000}, tcp))));
  EXPECT_FALSE(Keeps(BuildEthernet(0x0800, Build(Ipv4{.fragment = 0x2001}, tcp))));
}

TEST_F(ExpressionTest, ExtensionHeadersPassToTheParser) {
  Want({});
  const Octets tcp = Build(Tcp{.flags = 0x02});
  for (const uint8_t header : {0, 43, 60, 135}) {
    EXPECT_TRUE(Keeps(BuildEthernet(0x86dd, BuildIpv6(Join({BuildExtension(6), tcp}), header))));
  }
  EXPECT_TRUE(Keeps(
      BuildEthernet(0x86dd, BuildIpv6(Join({BuildFragmentHeader(6, 1), tcp}), 44))));
  EXPECT_TRUE(Keeps(BuildEthernet(0x86dd, BuildIpv6(Join({BuildAuthentication(6), tcp}), 51))));
}

TEST_F(ExpressionTest, TagsOfVlans) {
  Want({});
  for (const uint16_t type : {0x0800, 0x86dd}) {
    const auto packet = [type](uint8_t flags, const Octets& tags, uint16_t first) {
      return type == 0x0800 ? V4(flags, tags, first) : V6(flags, tags, first);
    };
    const Octets one = BuildVlanTag(type);
    const Octets two = Join({BuildVlanTag(0x8100), BuildVlanTag(type)});
    EXPECT_TRUE(Keeps(packet(0x02, one, 0x8100)));
    EXPECT_TRUE(Keeps(packet(0x02, two, 0x88a8)));
    EXPECT_FALSE(Keeps(packet(0x10, one, 0x8100)));
    EXPECT_FALSE(Keeps(packet(0x10, two, 0x88a8)));
  }
}

TEST_F(ExpressionTest, HostsAndTheUsersExpression) {
  Want({.hosts = {*IpAddress::Parse(kSource4), *IpAddress::Parse("2001:db8:77::9")}});
  EXPECT_TRUE(Keeps(V4(0x02)));
  EXPECT_FALSE(Keeps(V6(0x02)));
  EXPECT_TRUE(Keeps(V4(0x02, BuildVlanTag(0x0800), 0x8100)));
  Want({.expression = "port 1 or port 443"});
  EXPECT_TRUE(Keeps(V4(0x02)));
  EXPECT_FALSE(Keeps(V4(0x10))) << "an \"or\" must not let in more";
  Want({.expression = "port 1 or port 2"});
  EXPECT_FALSE(Keeps(V4(0x02)));
  EXPECT_FALSE(Keeps(V6(0x02, BuildVlanTag(0x86dd), 0x8100)));
}

TEST_F(ExpressionTest, EverySegment) {
  Want({.every_segment = true});
  EXPECT_TRUE(Keeps(V4(0x10)));
  EXPECT_TRUE(Keeps(V6(0x18)));
  EXPECT_FALSE(Keeps(BuildEthernet(0x0800, Build(Ipv4{.protocol = 17}, Octets(20, 0xff)))));
}

TEST_F(ExpressionTest, LinkTypesWithoutVlans) {
  const Octets ip = Build(Ipv4{}, Build(Tcp{.flags = 0x02}));
  Want({}, false, static_cast<uint32_t>(LinkType::kLinuxSll));
  EXPECT_TRUE(Keeps(BuildSll(0x0800, ip)));
  Want({}, false, static_cast<uint32_t>(LinkType::kLinuxSll2));
  EXPECT_TRUE(Keeps(BuildSll2(0x0800, 1, ip)));
}

TEST(PacketFilterTest, SaysWhatIsWrong) {
  const auto filter = PacketFilter::Compile(kEthernet, "nonsense (");
  EXPECT_EQ(filter.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(filter.status().message(), "");
}

}  // namespace
}  // namespace sockflow::pcap
