// SPDX-License-Identifier: MIT
#include "transport/url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "fmt/format.h"

namespace sockflow::transport {
namespace {

constexpr std::array<std::string_view, 1> kSchemes = {"udp"};
constexpr std::string_view kForm = "udp://HOST[:PORT]";

// Text from outside, fit for one line of a message.
std::string Quote(std::string_view text) {
  constexpr size_t kLongest = 60;
  const bool cut = text.size() > kLongest;
  return fmt::format("\"{}{}\"", absl::Utf8SafeCHexEscape(std::string(text.substr(0, kLongest))),
                     cut ? "..." : "");
}

bool IsV4(std::string_view host) {
  in_addr address;
  return inet_pton(AF_INET, std::string(host).c_str(), &address) == 1;
}

// With or without a zone: "fe80::1%eth0" (RFC 4007 11).
bool IsV6(std::string_view host) {
  const size_t percent = host.find('%');
  if (percent != host.npos && percent + 1 == host.size()) return false;
  in6_addr address;
  return inet_pton(AF_INET6, std::string(host.substr(0, percent)).c_str(), &address) == 1;
}

bool IsLabel(const std::string& label) {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') {
    return false;
  }
  return std::all_of(label.begin(), label.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_';
  });
}

absl::StatusOr<uint16_t> ParsePort(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) {
    return absl::InvalidArgumentError(
        fmt::format("port {} is wrong; allowed is 1 to 65535", Quote(text)));
  }
  return port;
}

// `authority` is what stands between "//" and the end.
absl::StatusOr<Url> ParseAuthority(std::string_view scheme, std::string_view authority) {
  Url url;
  url.scheme = scheme;
  std::optional<std::string_view> port;
  if (!authority.empty() && authority.front() == '[') {
    const size_t end = authority.find(']');
    if (end == authority.npos) {
      return absl::InvalidArgumentError(
          fmt::format("host {} has no closing bracket; write [ADDRESS]", Quote(authority)));
    }
    url.host = authority.substr(1, end - 1);
    if (!IsV6(url.host)) {
      return absl::InvalidArgumentError(fmt::format(
          "host {} is not an IPv6 address; only such an address stands in brackets",
          Quote(authority.substr(0, end + 1))));
    }
    const std::string_view rest = authority.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') {
      return absl::InvalidArgumentError(
          fmt::format("{} follows the host; allowed is :PORT", Quote(rest)));
    }
    if (!rest.empty()) port = rest.substr(1);
  } else if (IsV6(authority)) {
    return absl::InvalidArgumentError(
        fmt::format("IPv6 address {0} lacks its brackets; write {1}://[{0}]", authority, scheme));
  } else {
    const size_t colon = authority.rfind(':');
    url.host = authority.substr(0, colon);
    if (colon != authority.npos) port = authority.substr(colon + 1);
    if (!url.host.empty()) {
      if (absl::Status status = CheckHost(url.host); !status.ok()) return status;
    }
  }
  if (port.has_value()) {
    absl::StatusOr<uint16_t> number = ParsePort(*port);
    if (!number.ok()) return number.status();
    url.port = *number;
  }
  return url;
}

absl::StatusOr<Url> ParseAny(std::string_view text) {
  const size_t colon = text.find("://");
  if (colon == text.npos) {
    return absl::InvalidArgumentError(
        fmt::format("{} has no scheme; write {}", Quote(text), kForm));
  }
  // RFC 3986 3.1: the scheme's case does not matter.
  const std::string scheme = absl::AsciiStrToLower(std::string(text.substr(0, colon)));
  if (std::find(kSchemes.begin(), kSchemes.end(), scheme) == kSchemes.end()) {
    return absl::InvalidArgumentError(fmt::format("scheme {} is not supported; allowed is {}",
                                                  Quote(text.substr(0, colon)),
                                                  fmt::join(kSchemes, ", ")));
  }
  const std::string_view authority = text.substr(colon + 3);
  if (const size_t at = authority.find_first_of("/?#"); at != authority.npos) {
    return absl::InvalidArgumentError(fmt::format("{} at the end does not belong there; write {}",
                                                  Quote(authority.substr(at)), kForm));
  }
  if (authority.find('@') != authority.npos) {
    return absl::InvalidArgumentError(
        fmt::format("a user name (before @) does not belong there; write {}", kForm));
  }
  return ParseAuthority(scheme, authority);
}

}  // namespace

std::string Url::ToString() const {
  if (host.find(':') != host.npos) return fmt::format("{}://[{}]:{}", scheme, host, port);
  return fmt::format("{}://{}:{}", scheme, host, port);
}

absl::StatusOr<Url> ParseUrl(std::string_view text) {
  absl::StatusOr<Url> url = ParseAny(text);
  if (url.ok() && url->host.empty()) {
    return absl::InvalidArgumentError(fmt::format("{} has no host; write {}", Quote(text), kForm));
  }
  return url;
}

absl::StatusOr<Url> ParseListenUrl(std::string_view text) { return ParseAny(text); }

bool IsAddress(std::string_view host) { return IsV4(host) || IsV6(host); }

absl::Status CheckHost(std::string_view host) {
  constexpr size_t kLongestName = 253;  // RFC 1035 2.3.4, as text and without the last dot
  if (host.find('\0') == host.npos && IsAddress(host)) return absl::OkStatus();
  std::string_view name = host;
  if (!name.empty() && name.back() == '.') name.remove_suffix(1);
  const std::vector<std::string> labels = absl::StrSplit(std::string(name), '.');
  if (name.size() > kLongestName || !std::all_of(labels.begin(), labels.end(), IsLabel)) {
    return absl::InvalidArgumentError(
        fmt::format("host {} is neither an IP address nor a host name; allowed in a name are "
                    "letters, digits, - and _ between dots",
                    Quote(host)));
  }
  // The resolver would read "1.2.3" as 1.2.0.3 and refuse "256.1.1.1" only much later.
  if (std::all_of(labels.back().begin(), labels.back().end(),
                  [](unsigned char c) { return absl::ascii_isdigit(c); })) {
    return absl::InvalidArgumentError(fmt::format(
        "host {} is not an IPv4 address; allowed is four numbers from 0 to 255", Quote(host)));
  }
  return absl::OkStatus();
}

}  // namespace sockflow::transport
