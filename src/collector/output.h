// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sockflow::collector {

// Where lines go. Never waits for a slow reader of a pipe, so that a stop is obeyed at any time.
class Output {
 public:
  enum class Result {
    kDone,     // nothing is left
    kBusy,     // the rest can be written when fd() is writable
    kRefused,  // lines were dropped; try again later
    kClosed,   // the reader has gone away; nothing can be written any more
  };

  // A file to append to, made if there is none; "-" is standard output.
  static absl::StatusOr<std::unique_ptr<Output>> Open(const std::string& path);
  // Takes a descriptor over; `name` is for messages.
  Output(int fd, std::string name, bool owns_fd);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output();

  int fd() const { return fd_; }

  // Lines to write from now on; whole ones.
  std::string* lines() { return &lines_; }
  size_t waiting() const { return lines_.size() - written_; }

  // Writes what waits. When the system refuses to (disk full), the lines are dropped and counted,
  // except one that is already begun: its rest comes first when there is room again, so that no
  // line is ever cut or joined to another.
  Result Write();

  uint64_t lines_dropped() const { return lines_dropped_; }
  // Why lines were dropped most recently, one sentence.
  const std::string& trouble() const { return trouble_; }

 private:
  Result KeepRest(Result result);
  void DropAll(int error);

  int fd_;
  std::string name_;
  bool owns_fd_;
  bool may_block_;
  std::string lines_;
  size_t written_ = 0;     // of lines_
  bool is_begun_ = false;  // what was written before lines_ ends in the middle of a line
  uint64_t lines_dropped_ = 0;
  std::string trouble_;
};

}  // namespace sockflow::collector
