// SPDX-License-Identifier: MIT
#include "delivery/segment.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "fmt/format.h"
#include "ipfix/wire.h"

namespace sockflow::delivery {
namespace {

using ipfix::Load32;
using ipfix::StoreBigEndian;

constexpr std::string_view kMagic = "SFSPOOL\n";
constexpr uint32_t kVersion = 1;
// "SFe" and what it is. A search for the next entry looks for these.
constexpr std::array<uint8_t, 3> kMark = {'S', 'F', 'e'};
constexpr uint8_t kPreambleKind = 'P';
constexpr uint8_t kDataKind = 'D';

// `before`: of what comes before the octets.
uint32_t Crc(std::span<const uint8_t> octets, uint32_t before = 0) {
  return static_cast<uint32_t>(crc32(before, octets.data(), static_cast<uInt>(octets.size())));
}

void Append32(uint32_t number, std::vector<uint8_t>& out) {
  out.resize(out.size() + 4);
  StoreBigEndian<4>(number, &out[out.size() - 4]);
}

void AppendEntry(uint8_t kind, const ipfix::Message& message, uint32_t preamble_crc,
                 std::vector<uint8_t>& out) {
  const size_t begin = out.size();
  out.insert(out.end(), kMark.begin(), kMark.end());
  out.push_back(kind);
  Append32(static_cast<uint32_t>(message.octets.size()), out);
  Append32(message.records, out);
  Append32(preamble_crc, out);
  Append32(Crc(std::span(out).subspan(begin)), out);
  Append32(Crc(message.octets), out);
  out.insert(out.end(), message.octets.begin(), message.octets.end());
}

bool IsData(std::span<const uint8_t> file, size_t offset) { return file[offset + 3] == kDataKind; }
uint32_t PreambleField(std::span<const uint8_t> file, size_t offset) {
  return Load32(&file[offset + 12]);
}

// An entry header whose CRC is right: its numbers can be trusted.
bool IsHeader(std::span<const uint8_t> file, size_t offset) {
  return file.size() - offset >= kEntryHeaderOctets &&
         std::equal(kMark.begin(), kMark.end(), &file[offset]) &&
         Load32(&file[offset + 16]) == Crc(file.subspan(offset, 16)) &&
         Load32(&file[offset + 4]) <= kLargestMessage;
}

// The next offset from `offset` on where an entry header is; the end if there is none.
size_t FindHeader(std::span<const uint8_t> file, size_t offset) {
  while (true) {
    const auto found = std::search(file.begin() + static_cast<ptrdiff_t>(offset), file.end(),
                                   kMark.begin(), kMark.end());
    offset = static_cast<size_t>(found - file.begin());
    if (found == file.end() || IsHeader(file, offset)) return offset;
    ++offset;
  }
}

bool HasMessage(std::span<const uint8_t> octets, const Entry& entry) {
  return octets.size() >= kEntryHeaderOctets + entry.length &&
         Load32(&octets[20]) == Crc(octets.subspan(kEntryHeaderOctets, entry.length));
}

ipfix::Message MessageOf(std::span<const uint8_t> octets, const Entry& entry) {
  const std::span<const uint8_t> message = octets.subspan(kEntryHeaderOctets, entry.length);
  return {.octets = {message.begin(), message.end()}, .records = entry.records};
}

// Reads one segment file from its begin to its end.
class Parser {
 public:
  explicit Parser(std::span<const uint8_t> file) : file_(file) {}

  absl::StatusOr<SegmentContents> Parse() {
    if (absl::Status status = ReadHeader(); !status.ok()) return status;
    while (offset_ < file_.size()) {
      if (IsHeader(file_, offset_)) {
        ReadEntry();
      } else {
        const size_t next = FindHeader(file_, offset_ + 1);
        // What follows tells that it was a part of the preamble, which is no message of ours.
        const bool was_preamble =
            next < file_.size() &&
            (!IsData(file_, next) || PreambleField(file_, next) != preamble_crc_);
        seen_.messages += was_preamble ? 0 : 1;
        Lose(next, {.entries = was_preamble ? 0u : 1u});
      }
    }
    CountWhatIsCutOff();
    contents_.preamble = std::make_shared<const Preamble>(std::move(preamble_));
    return std::move(contents_);
  }

 private:
  // Where the header is damaged the entries tell what is there, and are read from the first.
  absl::Status ReadHeader() {
    if (file_.size() < kFirstEntry) {
      Lose(file_.size(), {});
      return absl::OkStatus();
    }
    if (std::equal(kMagic.begin(), kMagic.end(), file_.begin()) &&
        Load32(&file_[12]) == Crc(file_.first(12)) && Load32(&file_[8]) != kVersion) {
      return absl::FailedPreconditionError(
          fmt::format("its format is {}, and this program knows {}", Load32(&file_[8]), kVersion));
    }
    if (Load32(&file_[kPositionAt + 4]) == Crc(file_.subspan(kPositionAt, 4))) {
      position_ = Load32(&file_[kPositionAt]);
    }
    if (Load32(&file_[kTallyAt + 8]) == Crc(file_.subspan(kTallyAt, 8))) {
      tally_ = {.messages = Load32(&file_[kTallyAt]), .records = Load32(&file_[kTallyAt + 4])};
    }
    offset_ = kFirstEntry;
    return absl::OkStatus();
  }

  // At offset_ is an entry header that can be trusted.
  void ReadEntry() {
    const Entry entry{.offset = static_cast<uint32_t>(offset_),
                      .length = Load32(&file_[offset_ + 4]),
                      .records = Load32(&file_[offset_ + 8])};
    const std::span<const uint8_t> octets = file_.subspan(offset_);
    const bool is_data = IsData(file_, offset_);
    if (is_data) {
      ++seen_.messages;
      seen_.records += entry.records;
    }
    if (!HasMessage(octets, entry)) {
      // One that the end of the file cuts off may still be followed by others: a hole can be in
      // between.
      const size_t end = entry.end() <= file_.size() ? entry.end() : FindHeader(file_, offset_ + 1);
      Lose(end, is_data ? Damage{.entries = 1, .records = entry.records} : Damage{});
    } else if (PreambleField(file_, offset_) != preamble_crc_) {
      // It cannot be decoded: a part of its preamble is lost.
      Lose(entry.end(), is_data ? Damage{.entries = 1, .records = entry.records} : Damage{});
    } else if (is_data) {
      if (offset_ >= position_) contents_.entries.push_back(entry);
      offset_ = entry.end();
    } else {
      preamble_.push_back(MessageOf(octets, entry));
      preamble_crc_ = Crc(preamble_.back().octets, preamble_crc_);
      offset_ = entry.end();
    }
  }

  // What lies before `end` cannot be used.
  void Lose(size_t end, Damage lost) {
    lost.octets = end - offset_;
    if (offset_ >= position_) contents_.damage += lost;  // else it was consumed when it was whole
    offset_ = end;
  }

  // Entries that were written and of which nothing is there.
  void CountWhatIsCutOff() {
    if (tally_.messages > seen_.messages) {
      contents_.damage.entries += tally_.messages - seen_.messages;
    }
    if (contents_.damage.entries > 0 && tally_.records > seen_.records) {
      contents_.damage.records += tally_.records - seen_.records;
    }
  }

  std::span<const uint8_t> file_;
  uint32_t position_ = 0;
  Tally tally_;
  Tally seen_;  // entries of data, whole or not, consumed or not
  size_t offset_ = 0;
  Preamble preamble_;
  uint32_t preamble_crc_ = 0;
  SegmentContents contents_;
};

}  // namespace

Damage& Damage::operator+=(const Damage& other) {
  entries += other.entries;
  records += other.records;
  octets += other.octets;
  return *this;
}

std::vector<uint8_t> EncodePosition(uint32_t offset) {
  std::vector<uint8_t> out;
  Append32(offset, out);
  Append32(Crc(out), out);
  return out;
}

std::vector<uint8_t> EncodeTally(const Tally& tally) {
  std::vector<uint8_t> out;
  Append32(tally.messages, out);
  Append32(tally.records, out);
  Append32(Crc(out), out);
  return out;
}

std::vector<uint8_t> EncodeSegmentHead(const Preamble& preamble, const Tally& tally) {
  std::vector<uint8_t> out(kMagic.begin(), kMagic.end());
  Append32(kVersion, out);
  Append32(Crc(out), out);
  const std::vector<uint8_t> position = EncodePosition(kFirstEntry);
  out.insert(out.end(), position.begin(), position.end());
  const std::vector<uint8_t> tally_field = EncodeTally(tally);
  out.insert(out.end(), tally_field.begin(), tally_field.end());
  uint32_t crc = 0;
  for (const ipfix::Message& message : preamble) {
    AppendEntry(kPreambleKind, message, crc, out);
    crc = Crc(message.octets, crc);
  }
  return out;
}

uint32_t CrcOf(const Preamble& preamble) {
  uint32_t crc = 0;
  for (const ipfix::Message& message : preamble) crc = Crc(message.octets, crc);
  return crc;
}

std::vector<uint8_t> EncodeEntry(const ipfix::Message& message, uint32_t preamble_crc) {
  std::vector<uint8_t> out;
  out.reserve(kEntryHeaderOctets + message.octets.size());
  AppendEntry(kDataKind, message, preamble_crc, out);
  return out;
}

absl::StatusOr<SegmentContents> ParseSegment(std::span<const uint8_t> file) {
  return Parser(file).Parse();
}

bool DecodeEntry(std::span<const uint8_t> octets, const Entry& entry, ipfix::Message& message) {
  if (!HasMessage(octets, entry)) return false;
  message = MessageOf(octets, entry);
  return true;
}

}  // namespace sockflow::delivery
