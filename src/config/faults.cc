// SPDX-License-Identifier: MIT
#include "config/faults.h"

#include <algorithm>

#include "fmt/format.h"

namespace sockflow::config {

// A wrong file of the right size has a fault in every line; nobody reads so many.
constexpr size_t kMostFaults = 100;

std::string Faults::Shown(std::string_view key) const {
  if (section_.empty() || !key.starts_with(section_)) return std::string(key);
  return shown_ + std::string(key.substr(section_.size()));
}

void Faults::Add(int line, std::string_view key, std::string_view text) {
  faults_.emplace_back(line, fmt::format("{}:{}: {}: {}", file_, line, Shown(key), text));
}

absl::Status Faults::status() const {
  if (faults_.empty()) return absl::OkStatus();
  auto faults = faults_;
  std::ranges::stable_sort(faults, {}, &std::pair<int, std::string>::first);
  // What a group says holds for each of its collectors, and so would its fault.
  faults.erase(std::unique(faults.begin(), faults.end()), faults.end());
  std::string message;
  for (size_t i = 0; i < faults.size() && i < kMostFaults; ++i) {
    if (i > 0) message += '\n';
    message += faults[i].second;
  }
  if (faults.size() > kMostFaults) {
    message += fmt::format("\n{}: {} more faults are not listed; correct these first", file_,
                           faults.size() - kMostFaults);
  }
  return absl::InvalidArgumentError(message);
}

}  // namespace sockflow::config
