// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "absl/numeric/int128.h"
#include "absl/status/statusor.h"
#include "source/pcap/capture_file.h"

namespace sockflow::pcap {

// Reads a stream in order, and knows where it is. After an error it is at its end.
class CaptureInput {
 public:
  explicit CaptureInput(std::unique_ptr<ByteStream> stream) : stream_(std::move(stream)) {}

  // Fills `octets` as far as the stream goes; returns how many.
  absl::StatusOr<size_t> Read(std::span<uint8_t> octets);
  // Passes over this many, as far as the stream goes; returns how many.
  absl::StatusOr<uint64_t> Skip(uint64_t count);

  uint64_t offset() const { return offset_; }  // in octets, of what is read next

  // What a reader finds wrong, which ends the stream: "is cut short: 3 of 24 octets of WHAT", "is
  // damaged: WHAT".
  absl::Status CutShort(uint64_t there, uint64_t expected, std::string_view what);
  absl::Status Damaged(std::string_view what);

 private:
  // Makes the buffer not empty, except at the end.
  absl::Status Refill();
  std::span<const uint8_t> Take(uint64_t most);

  std::unique_ptr<ByteStream> stream_;
  bool is_over_ = false;
  uint64_t offset_ = 0;
  std::array<uint8_t, 1 << 16> buffer_;
  std::span<const uint8_t> ahead_;  // of buffer_: read from the stream, not yet from here
};

// A time of a capture file. What pcap cannot tell becomes the nearest that it can, so that sums
// with durations of the program never overflow.
Time ToTime(absl::int128 nanoseconds);

// Both read a file whose first four octets were read.
absl::StatusOr<std::unique_ptr<CaptureFile>> OpenPcap(std::unique_ptr<CaptureInput> input,
                                                      std::span<const uint8_t, 4> magic);
absl::StatusOr<std::unique_ptr<CaptureFile>> OpenPcapng(std::unique_ptr<CaptureInput> input);

// Whether the file is pcap, by its first four octets; it is pcapng with kPcapngMagic.
bool IsPcap(std::span<const uint8_t, 4> magic);
inline constexpr std::array<uint8_t, 4> kPcapngMagic = {0x0a, 0x0d, 0x0d, 0x0a};

}  // namespace sockflow::pcap
