// SPDX-License-Identifier: MIT
#include "transport/url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "fmt/format.h"
#include "transport/secure_transport.h"

namespace sockflow::transport {
namespace {

struct Scheme {
  std::string_view name;
  uint16_t default_port;  // 0: it has no host
};

constexpr std::array<Scheme, 7> kSchemes = {{{"udp", kDefaultPort},
                                             {"tcp", kDefaultPort},
                                             {"sctp", kDefaultPort},
                                             {"tls", kDefaultSecurePort},
                                             {"dtls", kDefaultSecurePort},
                                             {"file", 0},
                                             {"stdout", 0}}};
constexpr std::string_view kSendForm =
    "udp://HOST[:PORT] (or tcp, sctp, tls, dtls), file:PATH or stdout:";
constexpr std::string_view kListenForm = "udp://HOST[:PORT]";

// Text from outside, fit for one line of a message.
std::string Quote(std::string_view whole) {
  const std::string text = HideUser(whole);
  constexpr size_t kLongest = 60;
  const bool cut = text.size() > kLongest;
  return fmt::format("\"{}{}\"", absl::Utf8SafeCHexEscape(text.substr(0, kLongest)),
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
absl::StatusOr<Url> ParseAuthority(const Scheme& scheme, std::string_view authority) {
  const std::string form = fmt::format("{}://HOST[:PORT]", scheme.name);
  // First: what stands before @ may be a password, with any characters in it, and is not repeated.
  if (authority.find('@') != authority.npos) {
    return absl::InvalidArgumentError(
        fmt::format("a user name (before @) does not belong there; write {}", form));
  }
  if (const size_t at = authority.find_first_of("/?#"); at != authority.npos) {
    return absl::InvalidArgumentError(fmt::format("{} at the end does not belong there; write {}",
                                                  Quote(authority.substr(at)), form));
  }
  Url url{.scheme = std::string(scheme.name), .port = scheme.default_port};
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
        fmt::format("IPv6 address {0} lacks its brackets; write {1}://[{0}]", authority,
                    scheme.name));
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

// `rest` is what stands after the colon.
absl::StatusOr<Url> ParsePath(const Scheme& scheme, std::string_view rest) {
  Url url{.scheme = std::string(scheme.name), .port = 0};
  if (scheme.name == "stdout") {
    if (rest.empty()) return url;
    return absl::InvalidArgumentError(
        fmt::format("{} at the end does not belong there; write stdout:", Quote(rest)));
  }
  // RFC 8089 2: the host is left out, or is this one.
  if (rest.starts_with("//")) {
    const size_t slash = rest.find('/', 2);
    const std::string_view host = rest.substr(2, slash == rest.npos ? slash : slash - 2);
    if (!host.empty() && host != "localhost") {
      return absl::InvalidArgumentError(fmt::format(
          "host {} does not belong there, a file is one of this host; write file:PATH",
          Quote(host)));
    }
    rest.remove_prefix(slash == rest.npos ? rest.size() : slash);
  }
  if (rest.empty()) return absl::InvalidArgumentError("the path is missing; write file:PATH");
  if (rest.find('\0') != rest.npos) {
    return absl::InvalidArgumentError(
        fmt::format("path {} has a zero octet in it; write file:PATH", Quote(rest)));
  }
  url.path = rest;
  return url;
}

// `form` is what an error tells to write.
absl::StatusOr<Url> Parse(std::string_view text, std::span<const Scheme> allowed,
                          std::string_view form) {
  const size_t colon = text.find(':');
  // RFC 3986 3.1: the scheme's case does not matter.
  const std::string name = absl::AsciiStrToLower(std::string(text.substr(0, colon)));
  const auto scheme = std::find_if(allowed.begin(), allowed.end(),
                                   [&](const Scheme& known) { return known.name == name; });
  const bool has_authority = colon != text.npos && text.substr(colon).starts_with("://");
  if (scheme != allowed.end() && scheme->default_port == 0 && colon != text.npos) {
    return ParsePath(*scheme, text.substr(colon + 1));
  }
  if (!has_authority) {
    return absl::InvalidArgumentError(
        fmt::format("{} has no scheme; write {}", Quote(text), form));
  }
  if (scheme == allowed.end()) {
    std::vector<std::string_view> names;
    for (const Scheme& known : allowed) names.push_back(known.name);
    return absl::InvalidArgumentError(
        fmt::format("scheme {} is not supported; allowed is {}", Quote(text.substr(0, colon)),
                    fmt::join(names, ", ")));
  }
  return ParseAuthority(*scheme, text.substr(colon + 3));
}

}  // namespace

std::string Url::ToString() const {
  if (port == 0 && host.empty()) return fmt::format("{}:{}", scheme, path);
  if (host.find(':') != host.npos) return fmt::format("{}://[{}]:{}", scheme, host, port);
  return fmt::format("{}://{}:{}", scheme, host, port);
}

absl::StatusOr<Url> ParseUrl(std::string_view text) {
  absl::StatusOr<Url> url = Parse(text, kSchemes, kSendForm);
  if (url.ok() && url->host.empty() && url->port != 0) {
    return absl::InvalidArgumentError(fmt::format("{} has no host; write {}://HOST[:PORT]",
                                                  Quote(text), url->scheme));
  }
  if (url.ok() && (url->scheme == "tls" || url->scheme == "dtls")) {
    if (absl::Status status = TlsSupport(); !status.ok()) return status;
  }
  return url;
}

absl::StatusOr<Url> ParseListenUrl(std::string_view text) {
  return Parse(text, std::span(kSchemes).first(1), kListenForm);
}

std::string HideUser(std::string_view text) {
  const size_t at = text.rfind('@');
  // One alone stands in other texts, too: "eth0@if2".
  if (at == text.npos || text.substr(0, at).find(':') == text.npos) return std::string(text);
  const size_t scheme = text.find("://");
  const size_t begin = scheme == text.npos || scheme > at ? 0 : scheme + 3;
  return fmt::format("{}***{}", text.substr(0, begin), text.substr(at));
}

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
