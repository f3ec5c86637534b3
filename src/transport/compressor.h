// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sockflow/compression.h"

namespace sockflow::transport {

// What it adds to a file's name: "", ".gz", ".zst".
std::string_view Extension(Compression compression);

// Makes a compressed file of units that stand for themselves: gzip members (RFC 1952 2.2),
// Zstandard frames (RFC 8878 3). All readers take a row of them for one stream; a file that ends
// with a whole unit is a whole file, and damage in one does not reach the next (RFC 5655 10.3).
// Both carry checksums.
class Compressor {
 public:
  // Null for kNone. kUnimplemented: this program was built without it.
  static absl::StatusOr<std::unique_ptr<Compressor>> Make(Compression compression);

  virtual ~Compressor() = default;

  // No unit of so many octets becomes longer than this.
  virtual size_t Bound(size_t octets) const = 0;
  // Makes one unit of `in`, in place of what is in `out`.
  virtual absl::Status Compress(std::span<const uint8_t> in, std::vector<uint8_t>& out) = 0;
};

// How many octets of a file, from its begin, are whole units: members, frames, or the IPFIX
// messages of a file that is not compressed. kUnimplemented: as above; kDataLoss: the file cannot
// be read.
absl::StatusOr<uint64_t> WholeOctets(Compression compression, int fd);

}  // namespace sockflow::transport
