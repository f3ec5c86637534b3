// SPDX-License-Identifier: MIT
#include "config/values.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <chrono>
#include <limits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "config/keys.h"
#include "fmt/format.h"
#include "transport/url.h"

namespace sockflow::config {
namespace {

std::string Trim(std::string_view text) {
  std::string trimmed(text);
  absl::StripAsciiWhitespace(&trimmed);
  return trimmed;
}

std::string Fold(std::string_view text) {
  std::string folded(text);
  for (char& c : folded) {
    c = c == '-' ? '_' : absl::ascii_tolower(static_cast<unsigned char>(c));
  }
  return folded;
}

// Letters to insert, delete, replace or swap with their neighbour (optimal string alignment).
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    before.swap(above);
    above.swap(row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
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
  return value;
}

absl::StatusOr<Value> ReadSeconds(const Key& key, const std::string& text) {
  double seconds = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, seconds);
  if ((error != std::errc() && error != std::errc::result_out_of_range) || stop != end) {
    return Wrong(key, text, "is not a number of seconds");
  }
  // Written so that not-a-number is out of range, too.
  if (error != std::errc() || !(seconds >= static_cast<double>(key.min) &&
                                seconds <= static_cast<double>(key.max))) {
    return Wrong(key, text, "is out of range");
  }
  Value value;
  value.duration = std::chrono::round<Duration>(std::chrono::duration<double>(seconds));
  return value;
}

}  // namespace

std::string Quote(std::string_view text) {
  constexpr size_t kLongest = 60;
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

std::string ListOf(std::span<const std::string_view> words) {
  if (words.size() < 2) return std::string(words.empty() ? "" : words.front());
  return fmt::format("{} or {}", fmt::join(words.first(words.size() - 1), ", "), words.back());
}

std::string_view Nearest(std::string_view text, std::span<const std::string_view> words) {
  constexpr size_t kLongest = 64;  // longer than any word of ours, and cheap to compare
  if (text.empty() || text.size() > kLongest) return {};
  const std::string folded = Fold(text);
  std::string_view nearest;
  size_t least = std::numeric_limits<size_t>::max();
  for (const std::string_view word : words) {
    const size_t distance = Distance(folded, Fold(word));
    if (distance < least && distance <= std::max<size_t>(1, word.size() / 3)) {
      least = distance;
      nearest = word;
    }
  }
  return nearest;
}

absl::StatusOr<size_t> ReadWord(std::string_view text, std::span<const std::string_view> words) {
  const auto found = std::find(words.begin(), words.end(), text);
  if (found != words.end()) return static_cast<size_t>(found - words.begin());
  const std::string_view nearest = Nearest(text, words);
  return absl::InvalidArgumentError(
      fmt::format("{}{}; allowed is {}",
                  text.empty() ? "has no value" : Quote(text) + " is not known",
                  nearest.empty() ? "" : fmt::format(" (did you mean {}?)", nearest),
                  ListOf(words)));
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

std::string Allowed(const Key& key) {
  switch (key.type) {
    case Type::kText:
      return std::string(key.text_rule);
    case Type::kNumber:
      return fmt::format("a {} from {} to {}", key.power_of_two ? "power of two" : "whole number",
                         key.min, key.max);
    case Type::kSeconds:
      return fmt::format("a number of seconds from {} to {}", key.min, key.max);
    case Type::kWord:
      return ListOf(key.words());
    case Type::kList:
      return "a list of URLs, or of maps with url and profile";
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
    case Type::kList:
      break;
  }
  return Wrong(key, trimmed, "is a single value where a list belongs");
}

}  // namespace sockflow::config

namespace sockflow {

absl::StatusOr<std::string> ParseInterfaceName(std::string_view text) {
  constexpr size_t kLongest = 127;  // ALTIFNAMSIZ less the NUL; an interface may have such a name
  std::string name = config::Trim(text);
  if (name.empty() || name == "any") return std::string();
  // What the kernel refuses in a name (dev_valid_name).
  const bool sound = name.size() <= kLongest && name != "." && name != ".." &&
                     std::none_of(name.begin(), name.end(), [](unsigned char c) {
                       return c == '/' || c == ':' || absl::ascii_isspace(c) ||
                              absl::ascii_iscntrl(c);
                     });
  if (!sound) {
    return config::Wrong(*config::FindKey("interface"), name,
                         "cannot be the name of an interface");
  }
  return name;
}

absl::StatusOr<std::string> ParseCollectorUrl(std::string_view text) {
  const absl::StatusOr<transport::Url> url = transport::ParseUrl(config::Trim(text));
  if (!url.ok()) return url.status();
  return url->ToString();
}

absl::StatusOr<ipfix::Profile> ParseProfileName(std::string_view text) {
  const absl::StatusOr<size_t> word = config::ReadWord(text, ipfix::ProfileNames());
  if (!word.ok()) return word.status();
  return *ipfix::ParseProfile(ipfix::ProfileNames()[*word]);
}

}  // namespace sockflow
