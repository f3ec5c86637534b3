// SPDX-License-Identifier: MIT
#include "sockflow/words.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "fmt/format.h"

namespace sockflow {
namespace {

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

}  // namespace

std::vector<std::string_view> NearestWords(std::string_view text,
                                           std::span<const std::string_view> words, size_t max) {
  constexpr size_t kLongest = 64;  // longer than any word of ours, and cheap to compare
  if (text.empty() || text.size() > kLongest) return {};
  const std::string folded = Fold(text);
  std::vector<std::pair<size_t, std::string_view>> near;
  for (const std::string_view word : words) {
    const size_t distance = Distance(folded, Fold(word));
    if (distance <= std::max<size_t>(1, word.size() / 3)) near.emplace_back(distance, word);
  }
  std::ranges::stable_sort(near, {}, &std::pair<size_t, std::string_view>::first);
  near.resize(std::min(near.size(), max));
  std::vector<std::string_view> nearest;
  for (const auto& [distance, word] : near) nearest.push_back(word);
  return nearest;
}

std::string ListOf(std::span<const std::string_view> words) {
  if (words.size() < 2) return std::string(words.empty() ? "" : words.front());
  return fmt::format("{} or {}", fmt::join(words.first(words.size() - 1), ", "), words.back());
}

std::string DidYouMean(std::span<const std::string_view> meant) {
  return meant.empty() ? "" : fmt::format(" (did you mean {}?)", ListOf(meant));
}

}  // namespace sockflow
