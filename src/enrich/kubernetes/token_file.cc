// SPDX-License-Identifier: MIT
#include "enrich/kubernetes/token_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/strings/ascii.h"
#include "fmt/format.h"

namespace sockflow::kubernetes {
namespace {

// Of a token with a good many claims; servers refuse longer headers.
constexpr size_t kLongest = 16 << 10;

}  // namespace

absl::StatusOr<std::string> ReadToken(const std::string& file) {
  const auto wrong = [&](std::string_view why) {
    return absl::FailedPreconditionError(
        fmt::format("the token in {} cannot be used: {}; set kubernetes.token_file to the file with the "
                    "service account's token",
                    file, why));
  };
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return wrong(std::strerror(errno));
  std::string token(kLongest + 1, '\0');
  stream.read(token.data(), static_cast<std::streamsize>(token.size()));
  if (stream.bad()) return wrong("it cannot be read");
  token.resize(static_cast<size_t>(stream.gcount()));
  if (token.size() > kLongest) return wrong(fmt::format("it is longer than {} octets", kLongest));
  absl::StripAsciiWhitespace(&token);
  if (token.empty()) return wrong("it is empty");
  // It becomes a line of a header.
  if (!std::all_of(token.begin(), token.end(), [](unsigned char c) { return absl::ascii_isgraph(c); })) {
    return wrong("it has blanks or octets that no token has");
  }
  return token;
}

}  // namespace sockflow::kubernetes
