// SPDX-License-Identifier: MIT
#include "transport/url.h"

#include <gtest/gtest.h>

#include <string>

namespace sockflow::transport {
namespace {

struct Good {
  std::string text;
  Url url;
  std::string canonical;
};

TEST(UrlTest, ReadsWhatIsAllowed) {
  const Good cases[] = {
      {"udp://127.0.0.1:4739", {"udp", "127.0.0.1", 4739}, "udp://127.0.0.1:4739"},
      {"udp://127.0.0.1", {"udp", "127.0.0.1", 4739}, "udp://127.0.0.1:4739"},
      {"udp://0.0.0.0:1", {"udp", "0.0.0.0", 1}, "udp://0.0.0.0:1"},
      {"udp://[::]:65535", {"udp", "::", 65535}, "udp://[::]:65535"},
      {"udp://[2001:db8::1]", {"udp", "2001:db8::1", 4739}, "udp://[2001:db8::1]:4739"},
      {"udp://[::ffff:192.0.2.1]:9", {"udp", "::ffff:192.0.2.1", 9}, "udp://[::ffff:192.0.2.1]:9"},
      {"udp://[fe80::1%eth0]:2055", {"udp", "fe80::1%eth0", 2055}, "udp://[fe80::1%eth0]:2055"},
      {"UDP://localhost", {"udp", "localhost", 4739}, "udp://localhost:4739"},
      {"udp://flow_sink.example.net.:2055",
       {"udp", "flow_sink.example.net.", 2055},
       "udp://flow_sink.example.net.:2055"},
      {"udp://4.example:007", {"udp", "4.example", 7}, "udp://4.example:7"},
  };
  for (const Good& c : cases) {
    const absl::StatusOr<Url> url = ParseUrl(c.text);
    ASSERT_TRUE(url.ok()) << c.text << ": " << url.status();
    EXPECT_EQ(*url, c.url) << c.text;
    EXPECT_EQ(url->ToString(), c.canonical);
    const absl::StatusOr<Url> again = ParseUrl(url->ToString());
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, *url);
  }
}

struct Bad {
  std::string text;
  std::string error;
};

TEST(UrlTest, NamesThePartThatIsWrong) {
  const std::string name_rule =
      " is neither an IP address nor a host name; allowed in a name are letters, digits, - and _ "
      "between dots";
  const Bad cases[] = {
      {"", "\"\" has no scheme; write udp://HOST[:PORT]"},
      {"127.0.0.1:4739", "\"127.0.0.1:4739\" has no scheme; write udp://HOST[:PORT]"},
      {"udp:127.0.0.1", "\"udp:127.0.0.1\" has no scheme; write udp://HOST[:PORT]"},
      {"tcp://127.0.0.1", "scheme \"tcp\" is not supported; allowed is udp"},
      {"://127.0.0.1", "scheme \"\" is not supported; allowed is udp"},
      {"udp://", "\"udp://\" has no host; write udp://HOST[:PORT]"},
      {"udp://:4739", "\"udp://:4739\" has no host; write udp://HOST[:PORT]"},
      {"udp://host:0", "port \"0\" is wrong; allowed is 1 to 65535"},
      {"udp://host:65536", "port \"65536\" is wrong; allowed is 1 to 65535"},
      {"udp://host:99999999999999999999",
       "port \"99999999999999999999\" is wrong; allowed is 1 to 65535"},
      {"udp://host:", "port \"\" is wrong; allowed is 1 to 65535"},
      {"udp://host:-1", "port \"-1\" is wrong; allowed is 1 to 65535"},
      {"udp://host:+1", "port \"+1\" is wrong; allowed is 1 to 65535"},
      {"udp://host:0x10", "port \"0x10\" is wrong; allowed is 1 to 65535"},
      {"udp://[::1]:x", "port \"x\" is wrong; allowed is 1 to 65535"},
      {"udp://::1", "IPv6 address ::1 lacks its brackets; write udp://[::1]"},
      {"udp://2001:db8::1:4739",
       "IPv6 address 2001:db8::1:4739 lacks its brackets; write udp://[2001:db8::1:4739]"},
      {"udp://[::1", "host \"[::1\" has no closing bracket; write [ADDRESS]"},
      {"udp://[127.0.0.1]:1",
       "host \"[127.0.0.1]\" is not an IPv6 address; only such an address stands in brackets"},
      {"udp://[]:1",
       "host \"[]\" is not an IPv6 address; only such an address stands in brackets"},
      {"udp://[fe80::1%]:1",
       "host \"[fe80::1%]\" is not an IPv6 address; only such an address stands in brackets"},
      {"udp://[::1]4739", "\"4739\" follows the host; allowed is :PORT"},
      {"udp://host/", "\"/\" at the end does not belong there; write udp://HOST[:PORT]"},
      {"udp://host:1?a=b", "\"?a=b\" at the end does not belong there; write udp://HOST[:PORT]"},
      {"udp://me:secret@host",
       "a user name (before @) does not belong there; write udp://HOST[:PORT]"},
      {"udp://256.1.1.1",
       "host \"256.1.1.1\" is not an IPv4 address; allowed is four numbers from 0 to 255"},
      {"udp://1.2.3",
       "host \"1.2.3\" is not an IPv4 address; allowed is four numbers from 0 to 255"},
      {"udp://a..b", "host \"a..b\"" + name_rule},
      {"udp://-a", "host \"-a\"" + name_rule},
      {"udp://a b", "host \"a b\"" + name_rule},
      {"udp://a\nb", "host \"a\\nb\"" + name_rule},
      {"udp://" + std::string(64, 'a'), "host \"" + std::string(60, 'a') + "...\"" + name_rule},
      {std::string("udp://127.0.0.1\0x", 17), "host \"127.0.0.1\\x00x\"" + name_rule},
  };
  for (const Bad& c : cases) {
    const absl::StatusOr<Url> url = ParseUrl(c.text);
    ASSERT_FALSE(url.ok()) << c.text;
    EXPECT_EQ(url.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(std::string(url.status().message()), c.error);
  }
}

TEST(UrlTest, ListenUrlMayLeaveOutTheHost) {
  const absl::StatusOr<Url> url = ParseListenUrl("udp://:2055");
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_EQ(*url, (Url{"udp", "", 2055}));
  EXPECT_EQ(url->ToString(), "udp://:2055");
  EXPECT_FALSE(ParseListenUrl("udp://:0").ok());
  EXPECT_FALSE(ParseListenUrl(":4739").ok());
}

TEST(UrlTest, TellsAddressesFromNames) {
  EXPECT_TRUE(IsAddress("192.0.2.1"));
  EXPECT_TRUE(IsAddress("fe80::1%lo"));
  EXPECT_FALSE(IsAddress("localhost"));
  EXPECT_FALSE(IsAddress(""));
}

}  // namespace
}  // namespace sockflow::transport
