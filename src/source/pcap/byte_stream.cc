// SPDX-License-Identifier: MIT
#include "source/pcap/byte_stream.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "fmt/format.h"

namespace sockflow::pcap {
namespace {

constexpr std::array<uint8_t, 2> kGzipMagic = {0x1f, 0x8b};

// A stream whose first octets were read already, to see what it is.
class Prefixed : public ByteStream {
 public:
  Prefixed(std::vector<uint8_t> prefix, std::unique_ptr<ByteStream> rest)
      : prefix_(std::move(prefix)), rest_(std::move(rest)) {}

  absl::StatusOr<size_t> Read(std::span<uint8_t> octets) override {
    const std::span<const uint8_t> left = std::span(prefix_).subspan(read_);
    if (left.empty()) return rest_->Read(octets);
    const size_t count = std::min(left.size(), octets.size());
    std::copy_n(left.begin(), count, octets.begin());
    read_ += count;
    return count;
  }

 private:
  std::vector<uint8_t> prefix_;
  size_t read_ = 0;
  std::unique_ptr<ByteStream> rest_;
};

class GzipStream : public ByteStream {
 public:
  explicit GzipStream(std::unique_ptr<ByteStream> file) : file_(std::move(file)) {
    constexpr int kGzipWindow = MAX_WBITS + 16;  // zlib's way to ask for a gzip header
    is_ready_ = inflateInit2(&zlib_, kGzipWindow) == Z_OK;
  }
  ~GzipStream() override {
    if (is_ready_) inflateEnd(&zlib_);
  }
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  bool is_ready() const { return is_ready_; }

  absl::StatusOr<size_t> Read(std::span<uint8_t> octets) override {
    if (octets.empty()) return 0;
    if (!damage_.ok()) return damage_;
    zlib_.next_out = octets.data();
    zlib_.avail_out = static_cast<uInt>(std::min<size_t>(octets.size(), kMostAtOnce));
    const uInt room = zlib_.avail_out;
    while (zlib_.avail_out == room) {
      if (zlib_.avail_in == 0) {
        const absl::StatusOr<size_t> count = file_->Read(compressed_);
        if (!count.ok()) return count.status();
        if (*count == 0 && is_between_members_) return 0;
        if (*count == 0) return Damage("is cut short: it ends within its gzip data");
        octets_ += *count;
        zlib_.next_in = compressed_.data();
        zlib_.avail_in = static_cast<uInt>(*count);
      }
      is_between_members_ = false;
      const int result = inflate(&zlib_, Z_NO_FLUSH);
      if (result == Z_STREAM_END) {
        is_between_members_ = true;
        inflateReset(&zlib_);
      } else if (result == Z_MEM_ERROR) {
        return absl::ResourceExhaustedError("no memory to decompress; make room");
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        damage_ = Damage(fmt::format("is damaged: zlib says \"{}\"",
                                     zlib_.msg != nullptr ? zlib_.msg : zError(result)));
        if (zlib_.avail_out == room) return damage_;
      }
    }
    return room - zlib_.avail_out;
  }

 private:
  static constexpr size_t kMostAtOnce = 1 << 20;

  absl::Status Damage(std::string_view what) const {
    return absl::DataLossError(
        fmt::format("{} (octet {} of the compressed file)", what, octets_ - zlib_.avail_in));
  }

  std::unique_ptr<ByteStream> file_;
  z_stream zlib_{};
  std::array<uint8_t, 1 << 16> compressed_;
  uint64_t octets_ = 0;  // read from file_
  bool is_between_members_ = false;
  absl::Status damage_;  // of what follows the octets that were returned
  bool is_ready_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ByteStream>> DecompressGzip(std::unique_ptr<ByteStream> file) {
  std::vector<uint8_t> prefix(kGzipMagic.size());
  size_t filled = 0;
  while (filled < prefix.size()) {
    const absl::StatusOr<size_t> count = file->Read(std::span(prefix).subspan(filled));
    if (!count.ok()) return count.status();
    if (*count == 0) break;
    filled += *count;
  }
  prefix.resize(filled);
  const bool is_gzip = std::ranges::equal(prefix, kGzipMagic);
  auto whole = std::make_unique<Prefixed>(std::move(prefix), std::move(file));
  if (!is_gzip) return whole;
  auto decompressed = std::make_unique<GzipStream>(std::move(whole));
  if (!decompressed->is_ready()) {
    return absl::ResourceExhaustedError("no memory to decompress; make room");
  }
  return decompressed;
}

absl::StatusOr<std::unique_ptr<ByteStream>> OpenByteStream(const std::string& path) {
  absl::StatusOr<std::unique_ptr<ByteStream>> file = OpenFile(path);
  if (!file.ok()) return file.status();
  return DecompressGzip(*std::move(file));
}

}  // namespace sockflow::pcap
