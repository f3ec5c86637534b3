// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "enrich/kubernetes/pod.h"

namespace sockflow::kubernetes {

// Reads objects of the API (v1), as JSON. Nothing is trusted: nullopt is what is no such object.

// A pod. `labels`: which of its labels are kept, in this order.
std::optional<Pod> ParsePod(std::string_view json, std::span<const std::string> labels);

// The head of a list of pods.
struct ListHead {
  std::string resource_version;
  std::string continue_token;  // empty: this was all
};
std::optional<ListHead> ParseListHead(std::string_view json);

struct WatchEvent {
  enum class Kind : uint8_t {
    kPut,       // ADDED, MODIFIED
    kDeleted,
    kBookmark,  // nothing has happened until that version
    kError,
  };
  Kind kind = Kind::kError;
  std::optional<Pod> pod;        // kPut, kDeleted
  std::string resource_version;  // but for kError; after this event
  int error_code = 0;            // kError: as of HTTP; 0: not told
  std::string error;             // kError: what the server says
};
std::optional<WatchEvent> ParseWatchEvent(std::string_view json, std::span<const std::string> labels);

// What an answer that is an error says of itself (kind Status); empty: nothing.
std::string ParseErrorMessage(std::string_view json);

}  // namespace sockflow::kubernetes
