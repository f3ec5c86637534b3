// SPDX-License-Identifier: MIT
#include "sockflow/ip_address.h"

#include "gtest/gtest.h"

namespace sockflow {
namespace {

TEST(IpAddressTest, ReadsAndWritesBothFamilies) {
  for (const char* text : {"0.0.0.0", "192.0.2.255", "::", "::1", "2001:db8::ff", "fe80::1"}) {
    const auto address = IpAddress::Parse(text);
    ASSERT_TRUE(address.has_value()) << text;
    EXPECT_EQ(address->ToString(), text);
    EXPECT_EQ(address->is_v4(), std::string_view(text).find(':') == std::string_view::npos);
    EXPECT_EQ(address->octets().size(), address->is_v4() ? 4u : 16u);
  }
}

TEST(IpAddressTest, MappedAddressIsIpv4) {
  const auto mapped = IpAddress::Parse("::ffff:192.0.2.1");
  ASSERT_TRUE(mapped.has_value());
  EXPECT_TRUE(mapped->is_v4());
  EXPECT_EQ(*mapped, *IpAddress::Parse("192.0.2.1"));
  // The deprecated IPv4-compatible form (RFC 4291 2.5.5.1) is something else.
  EXPECT_FALSE(IpAddress::Parse("::192.0.2.1")->is_v4());
}

TEST(IpAddressTest, RefusesEverythingElse) {
  for (std::string_view text :
       {std::string_view(""), std::string_view("192.0.2"), std::string_view("192.0.2.256"),
        std::string_view("localhost"), std::string_view("[::1]"), std::string_view("::1%lo"),
        std::string_view("1.2.3.4\0x", 9), std::string_view(" 1.2.3.4")}) {
    EXPECT_FALSE(IpAddress::Parse(text).has_value()) << text;
  }
}

TEST(EndpointTest, BracketsIpv6) {
  EXPECT_EQ(ToString(Endpoint{*IpAddress::Parse("192.0.2.1"), 80}), "192.0.2.1:80");
  EXPECT_EQ(ToString(Endpoint{*IpAddress::Parse("2001:db8::1"), 443}), "[2001:db8::1]:443");
}

}  // namespace
}  // namespace sockflow
