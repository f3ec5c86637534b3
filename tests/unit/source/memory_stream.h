// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "source/pcap/capture_file.h"

namespace sockflow::pcap {

// A file of these octets, of which each Read gives at most `chunk`, as a pipe does.
class MemoryStream : public ByteStream {
 public:
  explicit MemoryStream(std::span<const uint8_t> octets, size_t chunk = 1 << 20)
      : octets_(octets.begin(), octets.end()), chunk_(chunk) {}

  absl::StatusOr<size_t> Read(std::span<uint8_t> octets) override {
    const size_t count = std::min({octets.size(), chunk_, octets_.size() - read_});
    std::copy_n(octets_.begin() + static_cast<std::ptrdiff_t>(read_), count, octets.begin());
    read_ += count;
    return count;
  }

 private:
  std::vector<uint8_t> octets_;
  size_t chunk_;
  size_t read_ = 0;
};

}  // namespace sockflow::pcap
