// SPDX-License-Identifier: MIT
#include <algorithm>
#include <charconv>

#include "absl/strings/ascii.h"
#include "config/values.h"
#include "fmt/format.h"
#include "sockflow/ip_prefix.h"

namespace sockflow::config {
namespace {

constexpr std::string_view kPatternLetters = "*?";

absl::Status Wrong(std::string_view key, std::string_view text, std::string_view what) {
  const std::string allowed = Allowed(*FindKey(fmt::format("{}.{}", kRuleSection, key)));
  return absl::InvalidArgumentError(
      text.empty() ? fmt::format("has no value; allowed is {}", allowed)
                   : fmt::format("{} {}; allowed is {}", Quote(text), what, allowed));
}

std::optional<uint16_t> ParsePort(std::string_view text) {
  uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && stop == end && port > 0 ? std::optional(port) : std::nullopt;
}

}  // namespace

absl::StatusOr<std::string> ReadProcessName(std::string_view text) {
  constexpr size_t kLongest = TaskName::kSize - 1;
  if (text.empty()) return Wrong("process", text, "");
  // A rule that never matches would go unnoticed. Each octet but a star stands for one of the name.
  const auto stars = static_cast<size_t>(std::ranges::count(text, '*'));
  if (text.size() - stars > kLongest) {
    return absl::InvalidArgumentError(
        fmt::format("{} is longer than a name of a process, of which the kernel keeps {} octets; allowed is {}, "
                    "or the path as executable",
                    Quote(text), kLongest,
                    stars == 0 ? Quote(text.substr(0, kLongest)) : fmt::format("{} octets besides *", kLongest)));
  }
  return std::string(text);
}

absl::StatusOr<std::string> ReadExecutable(std::string_view text) {
  if (!text.starts_with('/') && !text.starts_with('*')) return Wrong("executable", text, "is not absolute");
  return std::string(text);
}

absl::StatusOr<std::string> ReadUser(std::string_view text) {
  if (text.empty()) return Wrong("user", text, "");
  const bool is_uid = std::ranges::all_of(text, [](unsigned char c) { return absl::ascii_isdigit(c); });
  uint32_t uid = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), uid);
  if (is_uid && (error != std::errc() || uid == kNoUid)) return Wrong("user", text, "is no uid");
  return is_uid ? std::to_string(uid) : std::string(text);
}

absl::StatusOr<std::string> ReadContainerId(std::string_view text) {
  constexpr size_t kShortest = 4, kLongest = 64;
  std::string id = absl::AsciiStrToLower(std::string(text));
  const bool sound = id.size() >= kShortest && id.size() <= kLongest &&
                     std::ranges::all_of(id, [](unsigned char c) { return absl::ascii_isxdigit(c); });
  if (!sound) return Wrong("container", text, "is no id of a container");
  return id;
}

absl::StatusOr<std::string> ReadPodNamespace(std::string_view text) {
  constexpr size_t kLongest = 63;  // a DNS label (RFC 1123)
  const bool sound = !text.empty() && text.size() <= kLongest && std::ranges::all_of(text, [](unsigned char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' ||
           kPatternLetters.find(static_cast<char>(c)) != kPatternLetters.npos;
  });
  if (!sound) return Wrong("pod_namespace", text, "cannot be such a name");
  return std::string(text);
}

absl::StatusOr<std::string> ReadPrefix(std::string_view text) {
  const std::optional<IpPrefix> prefix = IpPrefix::Parse(text);
  if (!prefix) return Wrong("address", text, "is neither");
  // Which network was meant is not for us to say.
  const size_t slash = text.find('/');
  if (slash != text.npos && prefix->address() != *IpAddress::Parse(text.substr(0, slash))) {
    return absl::InvalidArgumentError(
        fmt::format("{} has bits beyond its length; allowed are the address {} or the network {}", Quote(text),
                    text.substr(0, slash), prefix->ToString()));
  }
  return prefix->ToString();
}

std::optional<PortRange> ParsePortRange(std::string_view text) {
  const size_t hyphen = text.find('-');
  const std::optional<uint16_t> first = ParsePort(text.substr(0, hyphen));
  const std::optional<uint16_t> last = hyphen == text.npos ? first : ParsePort(text.substr(hyphen + 1));
  if (!first || !last || *first > *last) return std::nullopt;
  return PortRange{*first, *last};
}

absl::StatusOr<std::string> ReadPortRange(std::string_view text) {
  if (!ParsePortRange(text)) return Wrong("port", text, "is neither");
  return std::string(text);
}

}  // namespace sockflow::config
