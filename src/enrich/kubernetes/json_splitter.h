// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace sockflow::kubernetes {

// Cuts a stream of JSON into objects as it arrives, so that no more than one of them is in memory: a
// list may have a gigabyte, and a watch never ends. It knows brackets and strings; whether an object is
// sound is for its parser to say.
class JsonSplitter {
 public:
  enum class Cut : uint8_t {
    kObjects,  // one object after another: a watch (blanks and line ends between)
    kItems,    // the objects in arrays of one object: {"kind": ..., "items": [{...}, ...]}
  };
  // The API server takes no object that is longer in storage than 1.5 MiB (etcd's limit).
  static constexpr size_t kLongestObject = 4 << 20;
  // Deeper objects than any of Kubernetes cost their parser memory.
  static constexpr size_t kDeepest = 100;

  explicit JsonSplitter(Cut cut) : cut_(cut) {}

  // Hands out each object that is whole now. kInvalidArgument: this is no JSON of that form, and nothing
  // that follows can be understood. Objects that are too long or too deep are left out.
  absl::Status Push(std::string_view octets, absl::FunctionRef<void(std::string_view)> object);

  // Whether the stream may end here: nothing has begun that has not ended.
  bool complete() const { return depth_ == 0 && !in_string_ && (cut_ == Cut::kObjects || ended_); }
  // kItems: the object without its items: {"kind": ..., "items": [,,]} less the commas.
  const std::string& envelope() const { return envelope_; }
  // Objects that were left out since the last call.
  uint64_t TakeLeftOut() { return std::exchange(left_out_, 0); }

 private:
  absl::Status Take(char c, absl::FunctionRef<void(std::string_view)> object);
  size_t object_depth() const { return cut_ == Cut::kObjects ? 0 : 2; }

  Cut cut_;
  size_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool in_object_ = false;  // in one to hand out
  bool skipping_ = false;   // and it is too long or too deep
  bool in_array_ = false;   // kItems: in an array of the outer object
  bool ended_ = false;
  std::string object_;
  std::string envelope_;
  uint64_t left_out_ = 0;
};

}  // namespace sockflow::kubernetes
