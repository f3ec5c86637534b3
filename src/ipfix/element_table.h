// SPDX-License-Identifier: MIT
#pragma once

// Makes of the lines of elements.h, at compile time, the one table that everything points into.

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>

#include "ipfix/elements.h"

namespace sockflow::ipfix {

// RFC 5103 6.1: elements that describe the biflow as a whole or the protocol have no reverse.
inline constexpr auto kNotReversible = std::to_array<uint16_t>({
    40,  41,  42,  130, 131, 137, 145, 148, 149, 163, 164, 165, 166,
    167, 168, 173, 210, 211, 212, 213, 214, 215, 216, 217, 239,
});

constexpr bool IsReversible(const Element& element) {
  return element.pen == kIana && !std::ranges::binary_search(kNotReversible, element.id);
}

inline constexpr std::string_view kReversePrefix = "reverse";

inline constexpr size_t kReverseCount =
    std::ranges::count_if(kElementLines, [](const Element& e) { return IsReversible(e); });

inline constexpr size_t kReverseNamesSize = [] {
  size_t size = 0;
  for (const Element& e : kElementLines) {
    if (IsReversible(e)) size += kReversePrefix.size() + e.name.size();
  }
  return size;
}();

// The names of all reverse elements, one after the other: "reverseOctetDeltaCount..." (RFC 5103 6.1
// makes them of the forward name, with its first letter capitalised).
inline constexpr auto kReverseNames = [] {
  std::array<char, kReverseNamesSize> names{};
  char* at = names.data();
  for (const Element& e : kElementLines) {
    if (!IsReversible(e)) continue;
    at = std::ranges::copy(kReversePrefix, at).out;
    char* const first = at;
    at = std::ranges::copy(e.name, at).out;
    if (*first >= 'a' && *first <= 'z') *first = static_cast<char>(*first - 'a' + 'A');
  }
  return names;
}();

constexpr bool NumberLess(const Element& a, const Element& b) {
  return std::tie(a.pen, a.id) < std::tie(b.pen, b.id);
}

// Every element, ordered by enterprise number, then id.
inline constexpr auto kElements = [] {
  std::array<Element, kElementLines.size() + kReverseCount> elements{};
  Element* at = std::ranges::copy(kElementLines, elements.data()).out;
  size_t name_at = 0;
  for (const Element& e : kElementLines) {
    if (!IsReversible(e)) continue;
    const size_t name_size = kReversePrefix.size() + e.name.size();
    *at = e;
    at->pen = kReverse;
    at->name = std::string_view(kReverseNames.data() + name_at, name_size);
    name_at += name_size;
    ++at;
  }
  std::ranges::sort(elements, NumberLess);
  return elements;
}();

static_assert(std::ranges::is_sorted(kElementLines, NumberLess),
              "the lines of elements.h are not ordered by enterprise number and id");
static_assert(std::ranges::adjacent_find(kElements,
                                         [](const Element& a, const Element& b) {
                                           return a.pen == b.pen && a.id == b.id;
                                         }) == kElements.end(),
              "two lines of elements.h have the same enterprise number and id");

// Not defined: to reach it while compiling is an error that names it.
const Element* NoElementHasThisName();

// The element of that name; a name that is not in elements.h does not compile.
consteval const Element* Named(std::string_view name) {
  for (const Element& e : kElements) {
    if (e.name == name) return &e;
  }
  return NoElementHasThisName();
}

}  // namespace sockflow::ipfix
