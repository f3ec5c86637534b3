// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "sockflow/event_source.h"

namespace sockflow {

struct CaptureOptions {
  std::optional<Tier> tier;  // nullopt: the best that can be attached
  size_t ring_buffer_octets = 4 << 20;
  size_t max_sessions = 262'144;
};

struct OpenedSource {
  std::unique_ptr<EventSource> source;
  Tier tier;
  // The better tiers and why they are not used, a sentence each.
  std::vector<std::pair<Tier, std::string>> refused;
};

// Opens the capture tier that is asked for, or the best one that attaches. (Loading is not enough:
// arm64 before 6.0 loads fentry programs and then cannot attach them.)
absl::StatusOr<OpenedSource> OpenEventSource(const CaptureOptions& options);

}  // namespace sockflow
