// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace sockflow::config {

// All that is wrong with a file, so that one look is enough to correct it.
class Faults {
 public:
  explicit Faults(std::string_view file) : file_(file) {}

  void Add(int line, std::string_view key, std::string_view text);

  // From now on a key of the section `section` is said to be of `shown`. Both empty: as it is.
  void ShowAs(std::string_view section, std::string_view shown) {
    section_ = section;
    shown_ = shown;
  }
  // As a key or section is shown.
  std::string Shown(std::string_view key) const;

  size_t size() const { return faults_.size(); }
  const std::string& file() const { return file_; }

  // OK, or "FILE:LINE: KEY: TEXT" for each, in order of lines.
  absl::Status status() const;

 private:
  std::string file_;
  std::string section_, shown_;
  std::vector<std::pair<int, std::string>> faults_;
};

}  // namespace sockflow::config
