// SPDX-License-Identifier: MIT
#include "config/values.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "config/reader.h"
#include "fmt/format.h"
#include "sockflow/ipfix/element.h"
#include "transport/url.h"

namespace sockflow::config {
namespace {

std::string Trim(std::string_view text) {
  std::string trimmed(text);
  absl::StripAsciiWhitespace(&trimmed);
  return trimmed;
}

absl::Status Wrong(const Key& key, std::string_view text, std::string_view what) {
  return absl::InvalidArgumentError(
      text.empty() ? fmt::format("has no value; allowed is {}", Allowed(key))
                   : fmt::format("{} {}; allowed is {}", Quote(text), what, Allowed(key)));
}

bool IsInteger(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isdigit(c);
  });
}

absl::StatusOr<Value> ReadNumber(const Key& key, const std::string& text) {
  if (!IsInteger(text)) return Wrong(key, text, "is not a whole number");
  Value value;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value.number);
  if (error != std::errc() || stop != end || value.number < key.min || value.number > key.max) {
    return Wrong(key, text, "is out of range");
  }
  if (key.power_of_two && !std::has_single_bit(value.number)) {
    return Wrong(key, text, "is not a power of two");
  }
  if (key.check != nullptr) {
    if (absl::Status status = key.check(value); !status.ok()) return status;
  }
  return value;
}

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

absl::StatusOr<Value> ReadSeconds(const Key& key, const std::string& text) {
  double seconds = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, seconds);
  if ((error != std::errc() && error != std::errc::result_out_of_range) || stop != end) {
    return Wrong(key, text, "is not a number of seconds");
  }
  // Written so that not-a-number is out of range, too.
  if (error != std::errc() ||
      !(seconds >= Seconds(key.shortest) && seconds <= Seconds(key.longest))) {
    return Wrong(key, text, "is out of range");
  }
  Value value;
  value.duration = std::chrono::round<Duration>(std::chrono::duration<double>(seconds));
  return value;
}

}  // namespace

std::string Quote(std::string_view text) {
  constexpr size_t kLongest = 60;
  const std::string shown = transport::HideUser(text);
  text = shown;
  const bool cut = text.size() > kLongest;
  if (cut) {
    text = text.substr(0, kLongest);
    // Not in the middle of a UTF-8 sequence.
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0) == 0x80) {
      text.remove_suffix(1);
    }
    if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xc0) text.remove_suffix(1);
  }
  return fmt::format("\"{}{}\"", absl::Utf8SafeCHexEscape(std::string(text)), cut ? "..." : "");
}

absl::StatusOr<size_t> ReadWord(std::string_view text, std::span<const std::string_view> words) {
  const auto found = std::find(words.begin(), words.end(), text);
  if (found != words.end()) return static_cast<size_t>(found - words.begin());
  return absl::InvalidArgumentError(
      fmt::format("{}{}; allowed is {}",
                  text.empty() ? "has no value" : Quote(text) + " is not known",
                  DidYouMean(NearestWords(text, words, 1)), ListOf(words)));
}

absl::StatusOr<std::string> ReadHost(std::string_view text) {
  const std::string host = Trim(text);
  if (host.empty()) {
    return absl::InvalidArgumentError("has no value; allowed is an IP address or a host name");
  }
  if (absl::Status status = transport::CheckHost(host); !status.ok()) return status;
  return host;
}

absl::StatusOr<std::string> ReadSourceHost(std::string_view text) {
  const std::string host = Trim(text);
  if (host.empty()) return host;
  return ReadHost(host);
}

absl::StatusOr<std::string> ReadInterfaces(std::string_view text) {
  const auto names = ParseInterfaces(text);
  if (!names.ok()) return names.status();
  return absl::StrJoin(*names, ",");
}

absl::StatusOr<std::string> ReadAnyText(std::string_view text) { return Trim(text); }

absl::StatusOr<std::string> ReadUrl(std::string_view text) {
  const absl::StatusOr<transport::Url> url = transport::ParseUrl(Trim(text));
  if (!url.ok()) return url.status();
  return url->ToString();
}

absl::StatusOr<std::string> ReadText(std::string_view text) {
  std::string trimmed = Trim(text);
  if (trimmed.empty()) return absl::InvalidArgumentError("has no value");
  return trimmed;
}

absl::StatusOr<std::string> ReadPemPath(std::string_view text) {
  std::string path = Trim(text);
  if (path.empty()) {
    return absl::InvalidArgumentError("has no value; allowed is the path of a PEM file");
  }
  if (absl::Status status = ReadFile(path).status(); !status.ok()) return status;
  return path;
}

absl::StatusOr<std::string> ReadDirectory(std::string_view text) {
  const std::string path = Trim(text);
  if (!path.starts_with('/')) {
    return absl::InvalidArgumentError(
        path.empty() ? "has no value; allowed is the absolute path of a directory"
                     : fmt::format("{} is not absolute; allowed is the absolute path of a directory",
                                   Quote(path)));
  }
  // So that one directory has one name.
  std::string normal = std::filesystem::path(path).lexically_normal().string();
  if (normal.size() > 1 && normal.ends_with('/')) normal.pop_back();
  return normal;
}

absl::StatusOr<std::string> ReadDomainName(std::string_view text) {
  std::string name = Trim(text);
  if (name.size() > 255 || std::any_of(name.begin(), name.end(), [](unsigned char c) {
        return absl::ascii_iscntrl(c);
      })) {
    return Wrong(*FindKey("exporter.domain_name"), name, "cannot be such a name");
  }
  return name;
}

absl::StatusOr<std::string> ReadApiServer(std::string_view text) {
  constexpr std::string_view kScheme = "https://";
  constexpr uint16_t kHttpsPort = 443;
  const Key& key = *FindKey("kubernetes.api_server");
  const std::string server = Trim(text);
  if (server.empty()) return server;
  // The token goes there: never in plain text.
  if (!server.starts_with(kScheme)) return Wrong(key, server, "does not begin with https://");
  std::string_view rest = std::string_view(server).substr(kScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  // Hosts and ports are those of any other URL; but for the port that is meant if there is none.
  absl::StatusOr<transport::Url> url = transport::ParseUrl("tcp://" + std::string(rest));
  if (!url.ok()) return Wrong(key, server, "is no such URL");
  const size_t bracket = rest.rfind(']');
  const bool has_port = rest.find(':', bracket == rest.npos ? 0 : bracket) != rest.npos;
  return fmt::format("{}{}:{}", kScheme,
                     url->host.find(':') == url->host.npos ? url->host : "[" + url->host + "]",
                     has_port ? url->port : kHttpsPort);
}

absl::StatusOr<std::string> ReadListenAddress(std::string_view text) {
  const Key& key = *FindKey("metrics.listen");
  const std::string address = Trim(text);
  if (address.empty()) return address;
  if (address.find("://") != address.npos) return Wrong(key, address, "has a scheme");
  const size_t bracket = address.rfind(']');
  if (address.find(':', bracket == address.npos ? 0 : bracket) == address.npos) {
    return Wrong(key, address, "has no port");
  }
  // Hosts and ports are those of a URL to listen on, of which the scheme is of no account.
  constexpr std::string_view kScheme = "udp://";
  const absl::StatusOr<transport::Url> url = transport::ParseListenUrl(std::string(kScheme) + address);
  if (!url.ok()) {
    const std::string why = absl::StrReplaceAll(std::string(url.status().message()), {{kScheme.data(), ""}});
    return absl::InvalidArgumentError(fmt::format("{}; allowed is {}", why, Allowed(key)));
  }
  return url->ToString().substr(kScheme.size());
}

absl::StatusOr<std::string> ReadNodeName(std::string_view text) {
  constexpr size_t kLongest = 253;  // a DNS subdomain (RFC 1123)
  const std::string name = Trim(text);
  const bool sound = name.size() <= kLongest && std::all_of(name.begin(), name.end(), [](unsigned char c) {
                       return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '.';
                     });
  if (!sound) return Wrong(*FindKey("kubernetes.node_name"), name, "cannot be such a name");
  return name;
}

absl::StatusOr<std::string> ReadLabelKey(std::string_view text) {
  constexpr size_t kLongest = 253 + 1 + 63;  // prefix and name
  const std::string key = Trim(text);
  const bool sound = !key.empty() && key.size() <= kLongest &&
                     std::all_of(key.begin(), key.end(), [](unsigned char c) {
                       return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.' || c == '/';
                     });
  if (!sound) return Wrong(*FindKey("kubernetes.labels"), key, "cannot be the key of a label");
  return key;
}

absl::Status CheckPen(const Value& pen) {
  constexpr std::pair<uint64_t, std::string_view> kOfOthers[] = {
      {ipfix::kReverse, "stands for reverse elements (RFC 5103)"},
      {ipfix::kNtop, "is ntop's"},
      {56506, "is Antrea's"},
  };
  for (const auto& [number, reason] : kOfOthers) {
    if (pen.number == number) {
      return absl::InvalidArgumentError(fmt::format(
          "{} {}, and elements under it mean something else; allowed is the number that IANA gave "
          "to you, or 0",
          number, reason));
    }
  }
  return absl::OkStatus();
}

std::string NoteOnPen(uint32_t pen) {
  constexpr uint32_t kDocumentation = 32473;  // RFC 5612
  if (pen != kDocumentation) return {};
  return fmt::format(
      "{} is for documentation alone (RFC 5612); before others receive this, ask IANA for a number "
      "of your own",
      pen);
}

std::string Allowed(const Key& key) {
  switch (key.type) {
    case Type::kText:
    case Type::kItems:
      return std::string(key.text_rule);
    case Type::kNumber:
      return fmt::format("a {} from {} to {}", key.power_of_two ? "power of two" : "whole number",
                         key.min, key.max);
    case Type::kSeconds:
      return fmt::format("a number of seconds from {} to {}", Seconds(key.shortest),
                         Seconds(key.longest));
    case Type::kWord:
      return ListOf(key.words());
    case Type::kWords:
      return fmt::format("a list [...] of {}", ListOf(key.words()));
    case Type::kNames:
      return key.may_be_single ? fmt::format("one or a list [...] of {}", key.text_rule)
                               : fmt::format("a list [...] of {}", key.text_rule);
  }
  return "";
}

absl::StatusOr<Value> ReadValue(const Key& key, std::string_view text) {
  const std::string trimmed = Trim(text);
  switch (key.type) {
    case Type::kText: {
      absl::StatusOr<std::string> read = key.read(trimmed);
      if (!read.ok()) return read.status();
      return Value{.text = *std::move(read)};
    }
    case Type::kNumber:
      return ReadNumber(key, trimmed);
    case Type::kSeconds:
      return ReadSeconds(key, trimmed);
    case Type::kWord: {
      const absl::StatusOr<size_t> word = ReadWord(trimmed, key.words());
      if (!word.ok()) return word.status();
      return Value{.number = *word};
    }
    case Type::kWords:
    case Type::kNames:
    case Type::kItems:
      break;
  }
  return Wrong(key, trimmed, "is a single value where a list belongs");
}

absl::StatusOr<std::string> ReadName(const Key& key, std::string_view text) {
  const std::string trimmed = Trim(text);
  if (key.read != nullptr) return key.read(trimmed);
  const absl::StatusOr<size_t> word = ReadWord(trimmed, key.words());
  if (!word.ok()) return word.status();
  return trimmed;
}

}  // namespace sockflow::config

namespace sockflow {

absl::StatusOr<std::vector<std::string>> ParseInterfaces(std::string_view text) {
  constexpr size_t kLongest = 127;  // ALTIFNAMSIZ less the NUL; an interface may have such a name
  const std::string trimmed = config::Trim(text);
  if (trimmed.empty() || trimmed == "any") return std::vector<std::string>();
  std::vector<std::string> names;
  for (const auto& part : absl::StrSplit(trimmed, ',')) {
    std::string name = config::Trim(std::string(part));
    // What the kernel refuses in a name (dev_valid_name).
    const bool sound = !name.empty() && name.size() <= kLongest && name != "." && name != ".." &&
                       std::none_of(name.begin(), name.end(), [](unsigned char c) {
                         return c == '/' || c == ':' || absl::ascii_isspace(c) ||
                                absl::ascii_iscntrl(c);
                       });
    if (!sound) {
      return config::Wrong(*config::FindKey("interface"), name.empty() ? trimmed : name,
                           name.empty() ? "has a name too few between its commas"
                                        : "cannot be the name of an interface");
    }
    if (name == "any") {
      return config::Wrong(*config::FindKey("interface"), trimmed, "has any beside other names");
    }
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

absl::StatusOr<CollectorConfig> ParseCollectorUrl(std::string_view text) {
  absl::StatusOr<std::string> url = config::ReadUrl(text);
  if (!url.ok()) return url.status();
  CollectorConfig collector = DefaultCollector();
  collector.endpoints.push_back({.url = *std::move(url)});
  return collector;
}

absl::StatusOr<ipfix::Profile> ParseProfileName(std::string_view text) {
  const absl::StatusOr<size_t> word = config::ReadWord(text, ipfix::ProfileNames());
  if (!word.ok()) return word.status();
  return *ipfix::ParseProfile(ipfix::ProfileNames()[*word]);
}

}  // namespace sockflow
