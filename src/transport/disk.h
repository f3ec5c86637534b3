// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"

// What is written to disk by several: files of messages, the spool (disk_linux.cc).
namespace sockflow::transport {

// "cannot VERB PATH: REASON; REMEDY". kResourceExhausted if there is no room, else
// kFailedPrecondition.
absl::Status DiskError(std::string_view verb, std::string_view path, int error);

// Writes all octets at `offset`, the end of the file, or none: what did not get there whole is cut
// off again. Returns an errno value; 0: done.
int AppendWhole(int fd, std::span<const uint8_t> octets, uint64_t offset);

// Makes the names in a directory survive a crash of the host. Returns an errno value; 0: done.
int SyncDirectory(const std::string& directory);

// Claims a file for this process until the descriptor is closed, which the kernel does when the
// process dies. False: another one has it.
bool Claim(int fd);

// True if `path` is still the name of the open file.
bool IsNamed(int fd, const std::string& path);

// Renames without ever replacing a file: EEXIST. Returns an errno value; 0: done.
int RenameNew(const std::string& from, const std::string& to);

}  // namespace sockflow::transport
