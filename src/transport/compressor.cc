// SPDX-License-Identifier: MIT
#include "transport/compressor.h"

#include <unistd.h>
#include <zlib.h>
#if SOCKFLOW_ZSTD
#include <zstd.h>
#endif

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "fmt/format.h"

namespace sockflow::transport {
namespace {

using Chunk = std::array<uint8_t, 1 << 16>;
constexpr int kGzipWindow = MAX_WBITS + 16;  // zlib's way to ask for a gzip header

// As many octets as there are, up to the buffer's size.
absl::StatusOr<size_t> ReadAt(int fd, uint64_t offset, std::span<uint8_t> buffer) {
  size_t filled = 0;
  while (filled < buffer.size()) {
    const ssize_t count = pread(fd, buffer.data() + filled, buffer.size() - filled,
                                static_cast<off_t>(offset + filled));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return absl::DataLossError(
          fmt::format("cannot be read: {}; check the disk", std::strerror(errno)));
    }
    if (count == 0) break;
    filled += static_cast<size_t>(count);
  }
  return filled;
}

class GzipCompressor : public Compressor {
 public:
  GzipCompressor() {
    constexpr int kMemoryLevel = 8;  // zlib's default
    is_ready_ = deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, kMemoryLevel,
                             Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~GzipCompressor() override {
    if (is_ready_) deflateEnd(&stream_);
  }
  GzipCompressor(const GzipCompressor&) = delete;
  GzipCompressor& operator=(const GzipCompressor&) = delete;

  bool is_ready() const { return is_ready_; }

  size_t Bound(size_t octets) const override { return deflateBound(&stream_, octets); }

  absl::Status Compress(std::span<const uint8_t> in, std::vector<uint8_t>& out) override {
    out.resize(Bound(in.size()));
    stream_.next_in = const_cast<uint8_t*>(in.data());  // zlib only reads it
    stream_.avail_in = static_cast<uInt>(in.size());
    stream_.next_out = out.data();
    stream_.avail_out = static_cast<uInt>(out.size());
    const int result = deflate(&stream_, Z_FINISH);
    const size_t rest = stream_.avail_out;
    deflateReset(&stream_);  // before deflateBound is asked again, which else leaves out the header
    if (result != Z_STREAM_END) {
      return absl::InternalError(
          fmt::format("zlib cannot compress {} octets: error {}", in.size(), result));
    }
    out.resize(out.size() - rest);
    return absl::OkStatus();
  }

 private:
  mutable z_stream stream_{};  // deflateBound asks for one that it could change
  bool is_ready_;
};

absl::StatusOr<uint64_t> WholeMembers(int fd) {
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) {
    return absl::ResourceExhaustedError("no memory to decompress; make room");
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> owner(&stream, &inflateEnd);
  Chunk in, out;
  uint64_t read = 0;
  uint64_t whole = 0;
  while (true) {
    const absl::StatusOr<size_t> count = ReadAt(fd, read, in);
    if (!count.ok()) return count.status();
    if (*count == 0) return whole;
    read += *count;
    stream.next_in = in.data();
    stream.avail_in = static_cast<uInt>(*count);
    while (stream.avail_in > 0) {
      stream.next_out = out.data();
      stream.avail_out = out.size();
      const int result = inflate(&stream, Z_NO_FLUSH);
      if (result == Z_STREAM_END) {
        whole = read - stream.avail_in;
        inflateReset(&stream);
      } else if (result != Z_OK) {
        return whole;
      }
    }
  }
}

#if SOCKFLOW_ZSTD
class ZstdCompressor : public Compressor {
 public:
  ZstdCompressor() : context_(ZSTD_createCCtx(), &ZSTD_freeCCtx) {
    if (context_ != nullptr) ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1);
  }

  bool is_ready() const { return context_ != nullptr; }

  size_t Bound(size_t octets) const override { return ZSTD_compressBound(octets); }

  absl::Status Compress(std::span<const uint8_t> in, std::vector<uint8_t>& out) override {
    out.resize(Bound(in.size()));
    const size_t result =
        ZSTD_compress2(context_.get(), out.data(), out.size(), in.data(), in.size());
    if (ZSTD_isError(result)) {
      return absl::InternalError(
          fmt::format("zstd cannot compress {} octets: {}", in.size(), ZSTD_getErrorName(result)));
    }
    out.resize(result);
    return absl::OkStatus();
  }

 private:
  std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context_;
};

absl::StatusOr<uint64_t> WholeFrames(int fd) {
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                   &ZSTD_freeDCtx);
  if (context == nullptr) {
    return absl::ResourceExhaustedError("no memory to decompress; make room");
  }
  Chunk in, out;
  uint64_t read = 0;
  uint64_t whole = 0;
  while (true) {
    const absl::StatusOr<size_t> count = ReadAt(fd, read, in);
    if (!count.ok()) return count.status();
    if (*count == 0) return whole;
    ZSTD_inBuffer input{in.data(), *count, 0};
    bool is_drained = false;
    while (input.pos < input.size || !is_drained) {
      ZSTD_outBuffer output{out.data(), out.size(), 0};
      const size_t result = ZSTD_decompressStream(context.get(), &output, &input);
      if (ZSTD_isError(result)) return whole;
      if (result == 0) whole = read + input.pos;
      is_drained = result == 0 || output.pos < output.size;
    }
    read += *count;
  }
}
#endif

// RFC 7011 3.1: version 10, then the length with the header.
absl::StatusOr<uint64_t> WholeMessages(int fd) {
  constexpr size_t kHeaderOctets = 16;
  const off_t size = lseek(fd, 0, SEEK_END);
  uint64_t whole = 0;
  while (true) {
    std::array<uint8_t, kHeaderOctets> header;
    const absl::StatusOr<size_t> count = ReadAt(fd, whole, header);
    if (!count.ok()) return count.status();
    if (*count < header.size() || header[0] != 0 || header[1] != 10) return whole;
    const uint64_t length = uint64_t{header[2]} << 8 | header[3];
    if (length < kHeaderOctets || whole + length > static_cast<uint64_t>(size)) return whole;
    whole += length;
  }
}

template <typename Kind>
absl::StatusOr<std::unique_ptr<Compressor>> MakeReady() {
  auto compressor = std::make_unique<Kind>();
  if (!compressor->is_ready()) {
    return absl::ResourceExhaustedError("no memory to compress; make room");
  }
  return compressor;
}

#if !SOCKFLOW_ZSTD
absl::Status BuiltWithoutZstd() {
  return absl::UnimplementedError(
      "compression zstd is not in this program (it was built with SOCKFLOW_ZSTD=OFF); use gzip");
}
#endif

}  // namespace

std::string_view Extension(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return "";
    case Compression::kGzip:
      return ".gz";
    case Compression::kZstd:
      return ".zst";
  }
  return "";
}

absl::StatusOr<std::unique_ptr<Compressor>> Compressor::Make(Compression compression) {
  if (compression == Compression::kNone) return nullptr;
  if (compression == Compression::kGzip) return MakeReady<GzipCompressor>();
#if SOCKFLOW_ZSTD
  return MakeReady<ZstdCompressor>();
#else
  return BuiltWithoutZstd();
#endif
}

absl::StatusOr<uint64_t> WholeOctets(Compression compression, int fd) {
  if (compression == Compression::kNone) return WholeMessages(fd);
  if (compression == Compression::kGzip) return WholeMembers(fd);
#if SOCKFLOW_ZSTD
  return WholeFrames(fd);
#else
  return BuiltWithoutZstd();
#endif
}

}  // namespace sockflow::transport
