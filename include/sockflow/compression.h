// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace sockflow {

// Of files: gzip (RFC 1952), Zstandard (RFC 8878).
enum class Compression : uint8_t { kNone, kGzip, kZstd };

}  // namespace sockflow
