// SPDX-License-Identifier: MIT
#include "health/http_request.h"

#include <string>

#include "gtest/gtest.h"

namespace sockflow::health {
namespace {

TEST(HttpRequestTest, IsCompleteWithItsEmptyLine) {
  const std::string whole = "GET /metrics?a=b HTTP/1.1\r\nHost: x\r\n\r\n";
  for (size_t octets = 0; octets < whole.size(); ++octets) {
    EXPECT_FALSE(ReadRequest(whole.substr(0, octets)).complete) << octets;
  }
  const HttpRequest request = ReadRequest(whole);
  EXPECT_TRUE(request.complete);
  EXPECT_EQ(request.error, 0);
  EXPECT_TRUE(request.wants_body);
  EXPECT_EQ(request.path, "/metrics");
}

TEST(HttpRequestTest, LinesMayEndWithoutCarriageReturnAndBeginWithEmptyOnes) {
  EXPECT_EQ(ReadRequest("\r\n\r\nGET /x HTTP/1.0\n\n").path, "/x");
  EXPECT_FALSE(ReadRequest("\r\n\r\n").complete);
}

TEST(HttpRequestTest, HeadWantsNoBody) {
  const HttpRequest request = ReadRequest("HEAD / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(request.error, 0);
  EXPECT_FALSE(request.wants_body);
}

TEST(HttpRequestTest, RefusesWhatItDoesNotUnderstand) {
  const std::pair<const char*, int> kCases[] = {
      {"POST /metrics HTTP/1.1\r\n\r\n", 405}, {"GET /metrics HTTP/2.0\r\n\r\n", 505},
      {"GET /metrics\r\n\r\n", 400},           {"GET  HTTP/1.1\r\n\r\n", 400},
      {"GET metrics HTTP/1.1\r\n\r\n", 400},   {"GET http://x/ HTTP/1.1\r\n\r\n", 400},
      {"GET / FTP/1.1\r\n\r\n", 400},          {"\x16\x03\x01 \n\n", 400},
      {" / HTTP/1.1\r\n\r\n", 405},
  };
  for (const auto& [octets, status] : kCases) {
    const HttpRequest request = ReadRequest(octets);
    EXPECT_TRUE(request.complete) << octets;
    EXPECT_EQ(request.error, status) << octets;
  }
}

TEST(HttpRequestTest, IsNotEndless) {
  for (const char octet : {'a', '\r', '\n'}) {
    EXPECT_FALSE(ReadRequest(std::string(kLongestRequest, octet)).complete) << int{octet};
    const HttpRequest request = ReadRequest(std::string(kLongestRequest + 1, octet));
    EXPECT_TRUE(request.complete) << int{octet};
    EXPECT_EQ(request.error, 431) << int{octet};
  }
}

TEST(HttpRequestTest, AnswersTellTheirLength) {
  EXPECT_EQ(WriteAnswer({.body = "ok\n"}, true),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n"
            "Cache-Control: no-store\r\nConnection: close\r\n\r\nok\n");
  const std::string head = WriteAnswer(ErrorPage(405), false);
  EXPECT_TRUE(head.ends_with("Allow: GET, HEAD\r\nConnection: close\r\n\r\n")) << head;
  EXPECT_NE(head.find("Content-Length: 19\r\n"), std::string::npos) << head;
}

}  // namespace
}  // namespace sockflow::health
