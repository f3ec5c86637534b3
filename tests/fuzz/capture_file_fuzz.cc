// SPDX-License-Identifier: MIT
// Input: a capture file, compressed or not.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "source/pcap/byte_stream.h"
#include "source/pcap/packet_parser.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/unit/source/memory_stream.h"

namespace sockflow::pcap {
namespace {

// Compressed files may become a thousand times as large.
constexpr size_t kMostPackets = 100'000;

struct Contents {
  std::vector<std::pair<Time, std::vector<uint8_t>>> packets;
  std::string error;

  friend bool operator==(const Contents&, const Contents&) = default;
};

Contents ReadAll(std::span<const uint8_t> input, size_t chunk) {
  Contents contents;
  absl::StatusOr<std::unique_ptr<ByteStream>> stream =
      DecompressGzip(std::make_unique<MemoryStream>(input, chunk));
  Require(stream.ok());
  absl::StatusOr<std::unique_ptr<CaptureFile>> file = CaptureFile::Open(*std::move(stream));
  if (!file.ok()) {
    contents.error = std::string(file.status().message());
    Require(!contents.error.empty());
    return contents;
  }
  Require(!(*file)->description().empty());
  CapturedPacket packet;
  while (contents.packets.size() < kMostPackets) {
    const absl::StatusOr<bool> next = (*file)->Next(packet);
    if (!next.ok()) {
      contents.error = std::string(next.status().message());
      Require(!contents.error.empty());
      const absl::StatusOr<bool> after = (*file)->Next(packet);
      Require(!after.ok() || !*after);
    }
    if (!next.ok() || !*next) break;
    Require(packet.octets.size() <= kMaxPacketOctets && packet.octets.size() <= packet.length);
    Require(packet.at >= Time() && packet.at < Time(std::chrono::seconds(int64_t{1} << 32)));
    TcpSegment segment;
    ParsePacket(packet.link_type, packet.octets, segment, packet.length);
    contents.packets.emplace_back(packet.at,
                                  std::vector<uint8_t>(packet.octets.begin(), packet.octets.end()));
  }
  return contents;
}

// How much is there at a time makes no difference.
void CheckFile(std::span<const uint8_t> input) {
  Require(ReadAll(input, input.size() + 1) == ReadAll(input, 3));
}

}  // namespace
}  // namespace sockflow::pcap

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sockflow::pcap::CheckFile({data, size});
  return 0;
}
