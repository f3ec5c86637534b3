// SPDX-License-Identifier: MIT
#include "source/pcap/capture_input.h"

#include <algorithm>

#include "fmt/format.h"

namespace sockflow::pcap {

absl::StatusOr<size_t> CaptureInput::Read(std::span<uint8_t> octets) {
  size_t filled = 0;
  while (filled < octets.size()) {
    if (absl::Status status = Refill(); !status.ok()) return status;
    const std::span<const uint8_t> taken = Take(octets.size() - filled);
    if (taken.empty()) break;
    std::copy(taken.begin(), taken.end(), octets.begin() + filled);
    filled += taken.size();
  }
  return filled;
}

absl::StatusOr<uint64_t> CaptureInput::Skip(uint64_t count) {
  uint64_t skipped = 0;
  while (skipped < count) {
    if (absl::Status status = Refill(); !status.ok()) return status;
    const std::span<const uint8_t> taken = Take(count - skipped);
    if (taken.empty()) break;
    skipped += taken.size();
  }
  return skipped;
}

absl::Status CaptureInput::Refill() {
  if (!ahead_.empty() || is_over_) return absl::OkStatus();
  const absl::StatusOr<size_t> count = stream_->Read(buffer_);
  is_over_ = !count.ok() || *count == 0;
  if (!count.ok()) return count.status();
  ahead_ = std::span(buffer_).first(*count);
  return absl::OkStatus();
}

std::span<const uint8_t> CaptureInput::Take(uint64_t most) {
  const std::span<const uint8_t> taken = ahead_.first(std::min<uint64_t>(ahead_.size(), most));
  ahead_ = ahead_.subspan(taken.size());
  offset_ += taken.size();
  return taken;
}

absl::Status CaptureInput::CutShort(uint64_t there, uint64_t expected, std::string_view what) {
  is_over_ = true;
  ahead_ = {};
  return absl::DataLossError(
      fmt::format("is cut short: {} of {} octets of {}", there, expected, what));
}

absl::Status CaptureInput::Damaged(std::string_view what) {
  is_over_ = true;
  ahead_ = {};
  return absl::DataLossError(fmt::format("is damaged: {}", what));
}

Time ToTime(absl::int128 nanoseconds) {
  constexpr int64_t kLast = (int64_t{1} << 32) * 1'000'000'000 - 1;
  return Time(Duration(static_cast<int64_t>(std::clamp<absl::int128>(nanoseconds, 0, kLast))));
}

}  // namespace sockflow::pcap
