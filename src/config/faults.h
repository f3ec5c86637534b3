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

  size_t size() const { return faults_.size(); }
  const std::string& file() const { return file_; }

  // OK, or "FILE:LINE: KEY: TEXT" for each, in order of lines.
  absl::Status status() const;

 private:
  std::string file_;
  std::vector<std::pair<int, std::string>> faults_;
};

}  // namespace sockflow::config
