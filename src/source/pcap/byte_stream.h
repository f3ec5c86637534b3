// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "source/pcap/capture_file.h"

namespace sockflow::pcap {

// The octets of a file as they are; "-" is standard input. Reads what is there, so that a pipe is
// not waited for longer than needed.
absl::StatusOr<std::unique_ptr<ByteStream>> OpenFile(const std::string& path);

// What was compressed, if the first octets of `file` say gzip (RFC 1952; with all its members);
// else `file`, from its beginning.
absl::StatusOr<std::unique_ptr<ByteStream>> DecompressGzip(std::unique_ptr<ByteStream> file);

}  // namespace sockflow::pcap
