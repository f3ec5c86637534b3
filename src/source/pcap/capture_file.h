// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "sockflow/time.h"

namespace sockflow::pcap {

// All errors here continue a sentence that begins with the file's name: "is cut short: ...".

struct CapturedPacket {
  Time at{};               // from 1970 to 2106, as pcap has it; what is beyond becomes the nearest
  uint32_t link_type = 0;  // as in LinkType
  uint32_t interface = 0;  // of pcapng: 1 is its section's first; 0: a pcap file, which has one
  uint32_t length = 0;     // on the wire; `octets` may be less, never more
  std::span<const uint8_t> octets;
};

// Larger ones are damage, never a reason to allocate: libpcap's limit.
inline constexpr uint32_t kMaxPacketOctets = 256 * 1024;

// Where the octets of a file come from; a seam for tests and compressed files.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // Reads up to octets.size(); 0 at the end. The error says what is wrong (gzip damaged...).
  virtual absl::StatusOr<size_t> Read(std::span<uint8_t> octets) = 0;
};

// A file, decompressed if its first octets say gzip; "-" is standard input, which may be a pipe.
absl::StatusOr<std::unique_ptr<ByteStream>> OpenByteStream(const std::string& path);

// Reads capture files: pcap in either byte order with microseconds or nanoseconds (also the
// "modified" one of old Linux, 0xa1b2cd34), and pcapng with any number of sections and interfaces.
// (draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng)
class CaptureFile {
 public:
  virtual ~CaptureFile() = default;

  // The error says that it is no capture file, and what it looks like.
  static absl::StatusOr<std::unique_ptr<CaptureFile>> Open(std::unique_ptr<ByteStream> stream);

  // The next packet; false at an orderly end. The packet is valid until the next call. The error
  // (after which there is nothing more) says at which octet of the (decompressed) file and in which
  // packet it is cut short or damaged, and how. A packet of pcapng without a time (simple packet
  // block) has that of the one before.
  virtual absl::StatusOr<bool> Next(CapturedPacket& packet) = 0;

  // "pcap, Ethernet, nanoseconds", "pcapng": for people.
  virtual std::string description() const = 0;
};

}  // namespace sockflow::pcap
