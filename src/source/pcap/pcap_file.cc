// SPDX-License-Identifier: MIT
// draft-ietf-opsawg-pcap.
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "source/pcap/capture_input.h"
#include "source/pcap/load.h"
#include "source/pcap/packet_parser.h"

namespace sockflow::pcap {
namespace {

struct Variant {
  uint32_t magic;
  uint32_t nanoseconds;  // of one unit of a record's fraction of a second
  size_t record_header_octets;
  std::string_view unit;
};
constexpr Variant kVariants[] = {
    {0xa1b2c3d4, 1000, 16, "microseconds"},
    {0xa1b23c4d, 1, 16, "nanoseconds"},
    // Of Linux distributions about 2000: more of the interface follows each record header.
    {0xa1b2cd34, 1000, 24, "microseconds, modified"},
};

std::pair<const Variant*, std::endian> Identify(std::span<const uint8_t, 4> magic) {
  for (const std::endian order : {std::endian::big, std::endian::little}) {
    for (const Variant& variant : kVariants) {
      if (Load<uint32_t>(magic.data(), order) == variant.magic) return {&variant, order};
    }
  }
  return {nullptr, std::endian::native};
}

class PcapFile : public CaptureFile {
 public:
  PcapFile(std::unique_ptr<CaptureInput> input, const Variant& variant, std::endian order,
           uint16_t minor_version, uint32_t link_type)
      : input_(std::move(input)),
        variant_(variant),
        order_(order),
        minor_version_(minor_version),
        link_type_(link_type) {}

  absl::StatusOr<bool> Next(CapturedPacket& packet) override {
    const uint64_t begin = input_->offset();
    std::array<uint8_t, 24> room;
    const std::span<uint8_t> header = std::span(room).first(variant_.record_header_octets);
    absl::StatusOr<size_t> count = input_->Read(header);
    if (!count.ok()) return count.status();
    if (*count == 0) return false;
    if (*count < header.size()) {
      return input_->CutShort(*count, header.size(), "the header of " + NextPacket(begin));
    }
    const auto field = [&](size_t at) { return Load<uint32_t>(&header[at], order_); };
    uint32_t captured = field(8);
    uint32_t length = field(12);
    // Before version 2.3 they were the other way round, in 2.3 with some programs.
    if (minor_version_ < 3 || (minor_version_ == 3 && captured > length)) {
      std::swap(captured, length);
    }
    if (captured > kMaxPacketOctets) {
      return input_->Damaged(fmt::format("{}, says that it has {} octets, which is more than {}",
                                         NextPacket(begin), captured, kMaxPacketOctets));
    }
    octets_.resize(captured);
    count = input_->Read(octets_);
    if (!count.ok()) return count.status();
    if (*count < captured) return input_->CutShort(*count, captured, NextPacket(begin));
    ++packets_;
    packet = {.at = ToTime(absl::int128(field(0)) * 1'000'000'000 +
                           uint64_t{field(4)} * variant_.nanoseconds),
              .link_type = link_type_,
              .length = std::max(captured, length),  // some programs write a length of 0
              .octets = octets_};
    return true;
  }

  std::string description() const override {
    return fmt::format("pcap, {}, {}", LinkTypeName(link_type_), variant_.unit);
  }

 private:
  std::string NextPacket(uint64_t begin) const {
    return fmt::format("packet {}, which begins at octet {}", packets_ + 1, begin);
  }

  std::unique_ptr<CaptureInput> input_;
  const Variant& variant_;
  std::endian order_;
  uint16_t minor_version_;
  uint32_t link_type_;
  uint64_t packets_ = 0;
  std::vector<uint8_t> octets_;
};

}  // namespace

bool IsPcap(std::span<const uint8_t, 4> magic) { return Identify(magic).first != nullptr; }

absl::StatusOr<std::unique_ptr<CaptureFile>> OpenPcap(std::unique_ptr<CaptureInput> input,
                                                      std::span<const uint8_t, 4> magic) {
  const auto [variant, order] = Identify(magic);
  // Version, time zone and accuracy (always 0), the most that is captured of a packet, link type.
  std::array<uint8_t, 20> header;
  const absl::StatusOr<size_t> count = input->Read(header);
  if (!count.ok()) return count.status();
  if (*count < header.size()) {
    return input->CutShort(magic.size() + *count, magic.size() + header.size(), "the file header");
  }
  const uint16_t major = Load<uint16_t>(&header[0], order);
  const uint16_t minor = Load<uint16_t>(&header[2], order);
  if (major != 2) {
    return absl::InvalidArgumentError(
        fmt::format("is of pcap version {}.{}; only 2 can be read", major, minor));
  }
  // The upper half says whether frames end with their checksum, which no IP length includes.
  const uint32_t link_type = Load<uint32_t>(&header[16], order) & 0xffff;
  return std::make_unique<PcapFile>(std::move(input), *variant, order, minor, link_type);
}

}  // namespace sockflow::pcap
