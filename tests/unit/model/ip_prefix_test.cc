// SPDX-License-Identifier: MIT
#include "sockflow/ip_prefix.h"

#include "gtest/gtest.h"

namespace sockflow {
namespace {

bool Contains(const char* prefix, const char* address) {
  return IpPrefix::Parse(prefix)->Contains(*IpAddress::Parse(address));
}

TEST(IpPrefixTest, ParsesWhatIsOneAndNothingElse) {
  const auto shown = [](std::string_view text) {
    const auto prefix = IpPrefix::Parse(text);
    return prefix ? prefix->ToString() : "none";
  };
  EXPECT_EQ(shown("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(shown("192.0.2.1/32"), "192.0.2.1");
  EXPECT_EQ(shown("192.0.2.129/25"), "192.0.2.128/25");
  EXPECT_EQ(shown("0.0.0.0/0"), "0.0.0.0/0");
  EXPECT_EQ(shown("2001:DB8::1/32"), "2001:db8::/32");
  EXPECT_EQ(shown("::ffff:10.1.2.3/104"), "10.0.0.0/8");
  for (const char* bad : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/8/8", "10/8",
                          "::/129", "::ffff:10.0.0.0/95", "host", "10.0.0.0/ 8"}) {
    EXPECT_EQ(shown(bad), "none") << bad;
  }
}

TEST(IpPrefixTest, ContainsWhatBeginsWithItsBits) {
  EXPECT_TRUE(Contains("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(Contains("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(Contains("192.0.2.128/25", "192.0.2.129"));
  EXPECT_FALSE(Contains("192.0.2.128/25", "192.0.2.127"));
  EXPECT_TRUE(Contains("0.0.0.0/0", "192.0.2.1"));
  EXPECT_FALSE(Contains("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(Contains("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(Contains("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(Contains("192.0.2.1", "192.0.2.1"));
  EXPECT_FALSE(Contains("192.0.2.1", "192.0.2.0"));
  EXPECT_FALSE(Contains("::/0", "10.0.0.1"));
}

}  // namespace
}  // namespace sockflow
