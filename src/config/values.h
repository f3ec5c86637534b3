// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

// Single values of a configuration, and words for what is wrong with them.
namespace sockflow::config {

// Text from a file, cut and escaped so that a message stays one line: "\"eth0\"".
std::string Quote(std::string_view text);

// "a, b or c".
std::string ListOf(std::span<const std::string_view> words);

// What was probably meant: the nearest of `words`, if it is near enough. Case and - for _ do not
// matter. Empty if there is none.
std::string_view Nearest(std::string_view text, std::span<const std::string_view> words);

// The index of `text` in `words`.
absl::StatusOr<size_t> ReadWord(std::string_view text, std::span<const std::string_view> words);

// Values of single keys; blanks around them do not count.
absl::StatusOr<std::string> ReadHost(std::string_view text);
absl::StatusOr<std::string> ReadSourceHost(std::string_view text);

}  // namespace sockflow::config
