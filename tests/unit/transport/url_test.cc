// SPDX-License-Identifier: MIT
#include "transport/url.h"

#include <gtest/gtest.h>

#include <string>

#include "transport/secure_transport.h"

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
      {"tcp://sink", {"tcp", "sink", 4739}, "tcp://sink:4739"},
      {"sctp://sink", {"sctp", "sink", 4739}, "sctp://sink:4739"},
      {"SCTP://[2001:db8::1]:9", {"sctp", "2001:db8::1", 9}, "sctp://[2001:db8::1]:9"},
      {"tls://sink", {"tls", "sink", 4740}, "tls://sink:4740"},
      {"TLS://[2001:db8::1]", {"tls", "2001:db8::1", 4740}, "tls://[2001:db8::1]:4740"},
      {"tls://sink:4739", {"tls", "sink", 4739}, "tls://sink:4739"},
      {"dtls://192.0.2.1", {"dtls", "192.0.2.1", 4740}, "dtls://192.0.2.1:4740"},
      {"dtls://192.0.2.1:1", {"dtls", "192.0.2.1", 1}, "dtls://192.0.2.1:1"},
      {"stdout:", {"stdout", "", 0}, "stdout:"},
      {"file:flows", {"file", "", 0, "flows"}, "file:flows"},
      {"File:/var/spool/f #1?.ipfix", {"file", "", 0, "/var/spool/f #1?.ipfix"},
       "file:/var/spool/f #1?.ipfix"},
      {"file:///var/f", {"file", "", 0, "/var/f"}, "file:/var/f"},
      {"file://localhost/var/f", {"file", "", 0, "/var/f"}, "file:/var/f"},
      {"udp://4.example:007", {"udp", "4.example", 7}, "udp://4.example:7"},
  };
  for (const Good& c : cases) {
    const absl::StatusOr<Url> url = ParseUrl(c.text);
    if (c.url.scheme.ends_with("tls") && !TlsSupport().ok()) {
      EXPECT_EQ(std::string(url.status().message()),
                "this sockflow was built without TLS (SOCKFLOW_TLS=OFF); use one with it, or tcp:// or "
                "udp://");
      continue;
    }
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
  const std::string no_scheme =
      " has no scheme; write udp://HOST[:PORT] (or tcp, sctp, tls, dtls), file:PATH or stdout:";
  const std::string schemes =
      " is not supported; allowed is udp, tcp, sctp, tls, dtls, file, stdout";
  const Bad cases[] = {
      {"", "\"\"" + no_scheme},
      {"127.0.0.1:4739", "\"127.0.0.1:4739\"" + no_scheme},
      {"udp:127.0.0.1", "\"udp:127.0.0.1\"" + no_scheme},
      {"dccp://127.0.0.1", "scheme \"dccp\"" + schemes},
      {"://127.0.0.1", "scheme \"\"" + schemes},
      {"udp", "\"udp\"" + no_scheme},
      {"file", "\"file\"" + no_scheme},
      {"tls:", "\"tls:\"" + no_scheme},
      {"sctp://", "\"sctp://\" has no host; write sctp://HOST[:PORT]"},
      {"tls://", "\"tls://\" has no host; write tls://HOST[:PORT]"},
      {"dtls://:4740", "\"dtls://:4740\" has no host; write dtls://HOST[:PORT]"},
      {"tcp://host:0", "port \"0\" is wrong; allowed is 1 to 65535"},
      {"tls://host:65536", "port \"65536\" is wrong; allowed is 1 to 65535"},
      {"tcp://host/x", "\"/x\" at the end does not belong there; write tcp://HOST[:PORT]"},
      {"tcp://::1", "IPv6 address ::1 lacks its brackets; write tcp://[::1]"},
      {"file:", "the path is missing; write file:PATH"},
      {"file://", "the path is missing; write file:PATH"},
      {"file://localhost", "the path is missing; write file:PATH"},
      {"file://var/f",
       "host \"var\" does not belong there, a file is one of this host; write file:PATH"},
      {std::string("file:a\0x", 8), "path \"a\\x00x\" has a zero octet in it; write file:PATH"},
      {"stdout:x", "\"x\" at the end does not belong there; write stdout:"},
      {"stdout://", "\"//\" at the end does not belong there; write stdout:"},
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
  EXPECT_EQ(std::string(ParseListenUrl("tcp://:4739").status().message()),
            "scheme \"tcp\" is not supported; allowed is udp");
  EXPECT_EQ(std::string(ParseListenUrl("stdout:").status().message()),
            "\"stdout:\" has no scheme; write udp://HOST[:PORT]");
}

TEST(UrlTest, MessagesRepeatNoPassword) {
  for (const char* text :
       {"udp://user:secret@192.0.2.1", "udp://user:sec/ret@192.0.2.1", "user:secret@192.0.2.1",
        "ftp://user:secret@host", "user:secret@host:4739", "file://u:secret@host"}) {
    const absl::StatusOr<Url> url = ParseUrl(text);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_EQ(std::string(url.status().message()).find("secret"), std::string::npos) << url.status();
  }
  EXPECT_EQ(HideUser("https://u:secret@host/a"), "https://***@host/a");
  EXPECT_EQ(HideUser("https://token@host"), "https://***@host");
  EXPECT_EQ(HideUser("u:se@cret@host:1"), "***@host:1");
  for (const char* text : {"eth0@if2", "udp://host:1", "", "@", "a@b:c"}) EXPECT_EQ(HideUser(text), text);
}

TEST(UrlTest, TellsAddressesFromNames) {
  EXPECT_TRUE(IsAddress("192.0.2.1"));
  EXPECT_TRUE(IsAddress("fe80::1%lo"));
  EXPECT_FALSE(IsAddress("localhost"));
  EXPECT_FALSE(IsAddress(""));
}

}  // namespace
}  // namespace sockflow::transport
