// SPDX-License-Identifier: MIT
#include "enrich/kubernetes/json_splitter.h"

namespace sockflow::kubernetes {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

}  // namespace

absl::Status JsonSplitter::Push(std::string_view octets,
                                absl::FunctionRef<void(std::string_view)> object) {
  for (const char c : octets) {
    if (absl::Status status = Take(c, object); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status JsonSplitter::Take(char c, absl::FunctionRef<void(std::string_view)> object) {
  const bool opens = !in_string_ && (c == '{' || c == '[');
  const bool closes = !in_string_ && (c == '}' || c == ']');
  if (depth_ == 0) {
    if (IsBlank(c)) return absl::OkStatus();
    if (c != '{' || ended_) return absl::InvalidArgumentError("the answer is not JSON of the API");
  }
  // Before the bracket counts: an object begins at the depth that it is in.
  if (!in_object_ && opens && c == '{' && depth_ == object_depth() &&
      (cut_ == Cut::kObjects || in_array_)) {
    in_object_ = true;
    skipping_ = false;
    object_.clear();
  }
  if (opens) {
    ++depth_;
    if (depth_ == 2 && !in_object_) in_array_ = c == '[';
  }
  if (closes) --depth_;
  if (!in_string_) {
    in_string_ = c == '"';
  } else if (escaped_) {
    escaped_ = false;
  } else {
    escaped_ = c == '\\';
    in_string_ = c != '"';
  }

  if (!in_object_) {
    // Commas between items would be too many without them.
    if (depth_ == 2 && in_array_ && c == ',' && !in_string_) return absl::OkStatus();
    if (envelope_.size() >= kLongestObject || depth_ > kDeepest) {
      return absl::InvalidArgumentError("the answer is no list of the API: its head has no end");
    }
    envelope_ += c;
    ended_ = depth_ == 0;
    return absl::OkStatus();
  }
  if (!skipping_ && (object_.size() >= kLongestObject || depth_ > object_depth() + kDeepest)) {
    skipping_ = true;
    ++left_out_;
    object_ = std::string();
  }
  if (!skipping_) object_ += c;
  if (depth_ > object_depth()) return absl::OkStatus();
  in_object_ = false;
  if (!skipping_) object(object_);
  return absl::OkStatus();
}

}  // namespace sockflow::kubernetes
