// SPDX-License-Identifier: MIT
// draft-ietf-opsawg-pcapng.
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/numeric/int128.h"
#include "fmt/format.h"
#include "source/pcap/capture_input.h"
#include "source/pcap/load.h"

namespace sockflow::pcap {
namespace {

enum BlockType : uint32_t {
  kSectionHeader = 0x0a0d0d0a,  // the same in both byte orders
  kInterface = 1,
  kPacket = 2,  // obsolete
  kSimplePacket = 3,
  kEnhancedPacket = 6,
};

constexpr uint32_t kByteOrderMagic = 0x1a2b3c4d;
constexpr size_t kFrameOctets = 12;  // type, length; length again at the end
constexpr size_t kMaxInterfaces = 65'536;
constexpr int64_t kNanoseconds = 1'000'000'000;  // in a second

struct Interface {
  uint16_t link_type = 0;
  uint32_t max_captured = 0;   // octets of a packet; 0: no limit
  uint64_t units = 1'000'000;  // of time in a second
  int64_t offset = 0;          // seconds to add
};

class PcapngFile : public CaptureFile {
 public:
  explicit PcapngFile(std::unique_ptr<CaptureInput> input) : input_(std::move(input)) {}

  // After the four octets of its type.
  absl::Status ReadFirstSection() {
    begin_ = 0;
    std::array<uint8_t, 4> length;
    if (absl::Status status = Fill(length); !status.ok()) return status;
    return ReadSection(length);
  }

  absl::StatusOr<bool> Next(CapturedPacket& packet) override {
    while (true) {
      begin_ = input_->offset();
      length_ = kFrameOctets;  // at least, until it is read
      std::array<uint8_t, 8> header;
      const absl::StatusOr<size_t> count = input_->Read(header);
      if (!count.ok()) return count.status();
      if (*count == 0) return false;
      if (*count < header.size()) return CutShort();
      const absl::StatusOr<bool> is_packet = ReadBlock(header, packet);
      if (!is_packet.ok()) return is_packet.status();
      if (*is_packet) return true;
    }
  }

  std::string description() const override { return "pcapng"; }

 private:
  uint16_t Get16(const uint8_t* in) const { return Load<uint16_t>(in, order_); }
  uint32_t Get32(const uint8_t* in) const { return Load<uint32_t>(in, order_); }

  absl::StatusOr<bool> ReadBlock(std::span<const uint8_t, 8> header, CapturedPacket& packet) {
    const uint32_t type = Get32(&header[0]);
    if (type == kSectionHeader) {
      if (absl::Status status = ReadSection(header.last<4>()); !status.ok()) return status;
      return false;
    }
    if (absl::Status status = SetLength(Get32(&header[4])); !status.ok()) return status;
    const bool is_packet = type == kPacket || type == kSimplePacket || type == kEnhancedPacket;
    absl::Status status;
    if (type == kInterface) status = ReadInterface();
    if (is_packet) status = type == kSimplePacket ? ReadSimple(packet) : ReadPacket(type, packet);
    if (status.ok()) status = FinishBlock();
    if (!status.ok()) return status;
    if (is_packet) ++packets_;
    return is_packet;
  }

  absl::Status ReadSection(std::span<const uint8_t, 4> length) {
    length_ = kFrameOctets;
    std::array<uint8_t, 4> magic;
    if (absl::Status status = Fill(magic); !status.ok()) return status;
    const uint32_t order = Load<uint32_t>(magic.data());
    if (order != kByteOrderMagic &&
        Load<uint32_t>(magic.data(), std::endian::little) != kByteOrderMagic) {
      return Damaged(fmt::format("has {:08x} where its byte order belongs", order));
    }
    order_ = order == kByteOrderMagic ? std::endian::big : std::endian::little;
    if (absl::Status status = SetLength(Get32(length.data())); !status.ok()) return status;
    std::array<uint8_t, 12> body;  // version, section length
    if (left_ < magic.size() + body.size()) return Damaged("is too short for a section header");
    left_ -= magic.size();
    if (absl::Status status = ReadBody(body); !status.ok()) return status;
    if (Get16(&body[0]) != 1) {
      return Damaged(fmt::format("is of pcapng version {}.{}; only 1 can be read", Get16(&body[0]),
                                 Get16(&body[2])));
    }
    interfaces_.clear();
    return FinishBlock();
  }

  absl::Status ReadInterface() {
    std::array<uint8_t, 8> body;
    if (absl::Status status = ReadBody(body); !status.ok()) return status;
    if (interfaces_.size() == kMaxInterfaces) {
      return Damaged(fmt::format("describes interface {} of its section", kMaxInterfaces + 1));
    }
    Interface interface = {.link_type = Get16(&body[0]), .max_captured = Get32(&body[4])};
    if (absl::Status status = ReadOptions(interface); !status.ok()) return status;
    interfaces_.push_back(interface);
    return absl::OkStatus();
  }

  absl::Status ReadOptions(Interface& interface) {
    constexpr uint16_t kEnd = 0, kTimeResolution = 9, kTimeOffset = 14;
    while (left_ > 0) {
      std::array<uint8_t, 4> header;
      if (absl::Status status = ReadBody(header); !status.ok()) return status;
      const uint16_t code = Get16(&header[0]);
      const uint16_t octets = Get16(&header[2]);
      if (code == kEnd) break;
      const uint32_t padded = (octets + 3u) / 4 * 4;
      const bool has_right_length = code == kTimeResolution ? octets == 1
                                    : code == kTimeOffset   ? octets == 8
                                                            : true;
      if (padded > left_ || !has_right_length) {
        return Damaged(fmt::format("has option {} with {} octets", code, octets));
      }
      std::array<uint8_t, 8> room;
      if (code != kTimeResolution && code != kTimeOffset) {
        if (absl::Status status = SkipBody(padded); !status.ok()) return status;
        continue;
      }
      const std::span<uint8_t> value = std::span(room).first(padded);
      if (absl::Status status = ReadBody(value); !status.ok()) return status;
      if (code == kTimeOffset) {
        interface.offset = static_cast<int64_t>(Load<uint64_t>(value.data(), order_));
      } else if (!SetTimeResolution(value[0], interface)) {
        return Damaged(fmt::format("has a time resolution of {}^-{} seconds, which is too small",
                                   value[0] & 0x80 ? 2 : 10, value[0] & 0x7f));
      }
    }
    return absl::OkStatus();
  }

  // False if a second has more units than 64 bits hold.
  static bool SetTimeResolution(uint8_t option, Interface& interface) {
    const uint32_t base = option & 0x80 ? 2 : 10;
    const uint32_t exponent = option & 0x7f;
    if (exponent > (base == 2 ? 63 : 19)) return false;
    interface.units = 1;
    for (uint32_t i = 0; i < exponent; ++i) interface.units *= base;
    return true;
  }

  absl::Status ReadPacket(uint32_t type, CapturedPacket& packet) {
    std::array<uint8_t, 20> body;
    if (absl::Status status = ReadBody(body); !status.ok()) return status;
    // The obsolete block has a counter of drops in the second half.
    const uint32_t index = type == kPacket ? Get16(&body[0]) : Get32(&body[0]);
    if (index >= interfaces_.size()) return NoInterface(index);
    const Interface& interface = interfaces_[index];
    const uint64_t units = uint64_t{Get32(&body[4])} << 32 | Get32(&body[8]);
    const absl::int128 seconds = absl::int128(units / interface.units) + interface.offset;
    const absl::int128 fraction = units % interface.units;
    at_ = ToTime(seconds * kNanoseconds + fraction * kNanoseconds / interface.units);
    return ReadOctets(index, Get32(&body[12]), Get32(&body[16]), packet);
  }

  absl::Status ReadSimple(CapturedPacket& packet) {
    std::array<uint8_t, 4> body;
    if (absl::Status status = ReadBody(body); !status.ok()) return status;
    if (interfaces_.empty()) return NoInterface(0);
    const uint32_t length = Get32(&body[0]);
    const uint32_t most = interfaces_[0].max_captured;
    return ReadOctets(0, most == 0 ? length : std::min(length, most), length, packet);
  }

  absl::Status ReadOctets(uint32_t index, uint32_t captured, uint32_t length,
                          CapturedPacket& packet) {
    if (captured > left_ || captured > kMaxPacketOctets) {
      return Damaged(fmt::format("says that its packet has {} octets, which is more than {}",
                                 captured, std::min(left_, kMaxPacketOctets)));
    }
    octets_.resize(captured);
    packet = {.at = at_,
              .link_type = interfaces_[index].link_type,
              .interface = index + 1,
              .length = std::max(captured, length),
              .octets = octets_};
    return ReadBody(octets_);
  }

  absl::Status SetLength(uint32_t length) {
    length_ = length;
    if (length < kFrameOctets || length % 4 != 0) {
      return Damaged(fmt::format("has a length of {} octets", length));
    }
    left_ = length - kFrameOctets;
    return absl::OkStatus();
  }

  absl::Status FinishBlock() {
    if (absl::Status status = SkipBody(left_); !status.ok()) return status;
    std::array<uint8_t, 4> trailer;
    if (absl::Status status = Fill(trailer); !status.ok()) return status;
    if (Get32(trailer.data()) == length_) return absl::OkStatus();
    return Damaged(fmt::format("has a length of {} octets at its beginning and of {} at its end",
                               length_, Get32(trailer.data())));
  }

  absl::Status ReadBody(std::span<uint8_t> octets) {
    if (octets.size() > left_) return Damaged(fmt::format("is too short: {} octets", length_));
    left_ -= octets.size();
    return Fill(octets);
  }

  absl::Status SkipBody(uint32_t octets) {
    left_ -= octets;
    const absl::StatusOr<uint64_t> count = input_->Skip(octets);
    if (!count.ok()) return count.status();
    return *count == octets ? absl::OkStatus() : CutShort();
  }

  absl::Status Fill(std::span<uint8_t> octets) {
    const absl::StatusOr<size_t> count = input_->Read(octets);
    if (!count.ok()) return count.status();
    return *count == octets.size() ? absl::OkStatus() : CutShort();
  }

  absl::Status Damaged(std::string_view what) {
    return input_->Damaged(fmt::format("{}, {}", ThisBlock(), what));
  }
  absl::Status NoInterface(uint32_t index) {
    return Damaged(fmt::format("is of interface {}, which its section has not described", index));
  }
  absl::Status CutShort() {
    return input_->CutShort(input_->offset() - begin_, length_, ThisBlock());
  }
  std::string ThisBlock() const {
    return fmt::format("the block at octet {}, after {} packets", begin_, packets_);
  }

  std::unique_ptr<CaptureInput> input_;
  // Of the section.
  std::endian order_ = std::endian::native;
  std::vector<Interface> interfaces_;
  // Of the block.
  uint64_t begin_ = 0;
  uint32_t length_ = kFrameOctets;
  uint32_t left_ = 0;  // octets of its body that were not read
  uint64_t packets_ = 0;
  Time at_{};  // of the latest packet that has a time
  std::vector<uint8_t> octets_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<CaptureFile>> OpenPcapng(std::unique_ptr<CaptureInput> input) {
  auto file = std::make_unique<PcapngFile>(std::move(input));
  if (absl::Status status = file->ReadFirstSection(); !status.ok()) return status;
  return file;
}

}  // namespace sockflow::pcap
