// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Words for messages about what somebody wrote.
namespace sockflow {

// What was probably meant: those of `words` that are near enough to `text`, the nearest first, at
// most `max`. Case and - for _ do not matter.
std::vector<std::string_view> NearestWords(std::string_view text,
                                           std::span<const std::string_view> words, size_t max);

// "a, b or c".
std::string ListOf(std::span<const std::string_view> words);

// " (did you mean a or b?)", or nothing if nothing is meant.
std::string DidYouMean(std::span<const std::string_view> meant);

}  // namespace sockflow
