// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sockflow/time.h"
#include "transport/compressor.h"
#include "transport/socket.h"

namespace sockflow::transport {

// "DIRECTORY/PREFIX-20261121T101500Z.ipfix.gz"; the second one of that time "...Z_001.ipfix.gz",
// which sorts after it.
struct FileName {
  std::string directory;
  std::string prefix;
  std::string time;  // UTC, ISO 8601 basic format
  unsigned number = 0;
  Compression compression = Compression::kNone;

  std::string Final() const;
  // While it is written: the same, hidden, with ".part".
  std::string Part() const;

  // Reads a name as Part() makes it, without the directory; nullopt: it is not of this prefix.
  static std::optional<FileName> ParsePart(std::string_view name, const std::string& directory,
                                           const std::string& prefix);
};

// A file that gets its name when it is whole.
class PartFile {
 public:
  // A new file that begins at `now`. `name.number` does not matter: a free one is found.
  static absl::StatusOr<std::unique_ptr<PartFile>> Create(FileName name, Time now);

  // Writes all octets or none.
  absl::Status Append(std::span<const uint8_t> octets);
  uint64_t octets() const { return octets_; }

  // Somebody took the file away: what goes into it is lost.
  bool IsRemoved() const;
  // Where it is until then.
  std::string part_path() const { return name_.Part(); }

  // Writes all to the disk and gives the file its name, or removes it if nothing is in it. After an
  // error the file still has its hidden name, under which CompleteLeftovers finds it.
  absl::Status Finish();

 private:
  PartFile(FileName name, Socket fd) : name_(std::move(name)), fd_(std::move(fd)) {}

  FileName name_;
  Socket fd_;  // claimed, so that nobody else completes it
  uint64_t octets_ = 0;
};

// Gives the files their names that an agent left unfinished in `directory` because it crashed or
// could not. Cuts off the message, or the compressed unit, that was not whole; a file with more
// wrong than `largest_unit` octets at its end is kept as it is, its name ending in ".damaged".
// Files that a living agent writes are left alone. Returns a sentence for each file, for the log.
std::vector<std::string> CompleteLeftovers(const std::string& directory, const std::string& prefix,
                                           uint64_t largest_unit);

}  // namespace sockflow::transport
