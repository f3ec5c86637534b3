// SPDX-License-Identifier: MIT
#include "source/pcap/capture_file.h"

#include <array>
#include <string_view>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "source/pcap/capture_input.h"

namespace sockflow::pcap {
namespace {

// What people take for capture files, by its first octets.
struct Lookalike {
  std::string_view magic;
  std::string_view hint;
};
constexpr Lookalike kLookalikes[] = {
    {"\x1f\x8b", "it is compressed by gzip twice: decompress it first (gzip -d)"},
    {"\x28\xb5\x2f\xfd", "it is compressed by zstd: decompress it first (zstd -d)"},
    {"\xfd\x37\x7a\x58", "it is compressed by xz: decompress it first (xz -d)"},
    {"BZh", "it is compressed by bzip2: decompress it first (bzip2 -d)"},
    {"\x04\x22\x4d\x18", "it is compressed by lz4: decompress it first (lz4 -d)"},
    {"PK\x03\x04", "it is a ZIP archive: unpack it first (unzip)"},
    {"snoo", "it is a snoop file: convert it first (editcap -F pcap)"},
};

absl::Status NotACapture(std::span<const uint8_t> octets) {
  std::string text = fmt::format("begins with {:02x}; no pcap, pcapng or gzip file",
                                 fmt::join(octets.begin(), octets.end(), " "));
  const std::string_view begin(reinterpret_cast<const char*>(octets.data()), octets.size());
  for (const Lookalike& lookalike : kLookalikes) {
    if (begin.starts_with(lookalike.magic)) text += fmt::format("; {}", lookalike.hint);
  }
  return absl::InvalidArgumentError(text);
}

}  // namespace

absl::StatusOr<std::unique_ptr<CaptureFile>> CaptureFile::Open(std::unique_ptr<ByteStream> stream) {
  auto input = std::make_unique<CaptureInput>(std::move(stream));
  std::array<uint8_t, 4> magic;
  const absl::StatusOr<size_t> count = input->Read(magic);
  if (!count.ok()) return count.status();
  if (*count == 0) return absl::InvalidArgumentError("is empty: no pcap, pcapng or gzip file");
  if (*count < magic.size()) return NotACapture(std::span(magic).first(*count));
  if (magic == kPcapngMagic) return OpenPcapng(std::move(input));
  if (IsPcap(magic)) return OpenPcap(std::move(input), magic);
  return NotACapture(magic);
}

}  // namespace sockflow::pcap
