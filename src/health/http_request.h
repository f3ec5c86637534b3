// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// As much of HTTP/1.1 (RFC 9112) as it takes to be asked for a page: each answer ends its connection.
namespace sockflow::health {

struct Page {
  int status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string body;
};

struct HttpRequest {
  bool complete = false;  // its head has arrived; else all else is meaningless
  int error = 0;          // the status that refuses it; 0: none
  bool wants_body = true;  // not for HEAD
  std::string_view path;   // without the query
};

// The longest head of a request; browsers and scrapers send less than 1 kB.
inline constexpr size_t kLongestRequest = 8192;

// What `octets`, all that has come on a connection so far, ask for. Valid as long as they are.
HttpRequest ReadRequest(std::string_view octets);

// The octets of an answer.
std::string WriteAnswer(const Page& page, bool with_body);

// The page that says what is wrong with a request.
Page ErrorPage(int status);

}  // namespace sockflow::health
