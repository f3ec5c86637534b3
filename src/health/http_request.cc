// SPDX-License-Identifier: MIT
#include "health/http_request.h"

#include "fmt/format.h"

namespace sockflow::health {
namespace {

std::string_view Reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Error";
  }
}

}  // namespace

HttpRequest ReadRequest(std::string_view octets) {
  // With the empty lines: who sends nothing else must not go on for ever.
  const bool too_long = octets.size() > kLongestRequest;
  // RFC 9112 2.2: empty lines before the request are passed over, and a line may end without CR.
  while (octets.starts_with('\r') || octets.starts_with('\n')) octets.remove_prefix(1);
  const size_t line_end = octets.find('\n');
  const bool ended = octets.find("\n\r\n") != octets.npos || octets.find("\n\n") != octets.npos;
  if (!ended) return {.complete = too_long, .error = too_long ? 431 : 0};
  HttpRequest request{.complete = true};
  std::string_view line = octets.substr(0, line_end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  const auto refuse = [&request](int status) {
    request.error = status;
    return request;
  };
  if (first == line.npos || first == last || line[first + 1] != '/') return refuse(400);
  const std::string_view method = line.substr(0, first);
  const std::string_view version = line.substr(last + 1);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (!version.starts_with("HTTP/")) return refuse(400);
  if (!version.starts_with("HTTP/1.")) return refuse(505);
  request.wants_body = method != "HEAD";
  if (method != "GET" && method != "HEAD") return refuse(405);
  request.path = target.substr(0, target.find('?'));
  return request;
}

std::string WriteAnswer(const Page& page, bool with_body) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n"
      "{}Connection: close\r\n\r\n{}",
      page.status, Reason(page.status), page.content_type, page.body.size(),
      page.status == 405 ? "Allow: GET, HEAD\r\n" : "", with_body ? page.body : "");
}

Page ErrorPage(int status) { return {.status = status, .body = fmt::format("{}\n", Reason(status))}; }

}  // namespace sockflow::health
