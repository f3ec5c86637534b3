// SPDX-License-Identifier: MIT
#pragma once

#include <zlib.h>
#if SOCKFLOW_ZSTD
#include <zstd.h>
#endif

#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "transport/compressor.h"

namespace sockflow::transport {

inline auto EveryCompression() {
  return testing::Values(Compression::kNone, Compression::kGzip, Compression::kZstd);
}

inline std::string CompressionName(const testing::TestParamInfo<Compression>& test) {
  if (test.param == Compression::kNone) return "None";
  return test.param == Compression::kGzip ? "Gzip" : "Zstd";
}

// As `gzip -d` and `zstd -d` do it, with the libraries' own means; fails the test if the end is
// missing.
inline std::vector<uint8_t> Decompress(Compression compression, const std::vector<uint8_t>& file) {
  std::vector<uint8_t> all;
  std::vector<uint8_t> out(1 << 20);
  if (compression == Compression::kGzip) {
    z_stream stream{};
    EXPECT_EQ(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
    stream.next_in = const_cast<uint8_t*>(file.data());
    stream.avail_in = static_cast<uInt>(file.size());
    int result = Z_STREAM_END;
    while (stream.avail_in > 0) {
      if (result == Z_STREAM_END) inflateReset(&stream);
      stream.next_out = out.data();
      stream.avail_out = static_cast<uInt>(out.size());
      result = inflate(&stream, Z_NO_FLUSH);
      if (result != Z_OK && result != Z_STREAM_END) break;
      all.insert(all.end(), out.begin(), out.end() - stream.avail_out);
    }
    EXPECT_EQ(result, Z_STREAM_END);
    inflateEnd(&stream);
    return all;
  }
#if SOCKFLOW_ZSTD
  if (compression == Compression::kZstd) {
    ZSTD_DCtx* context = ZSTD_createDCtx();
    ZSTD_inBuffer input{file.data(), file.size(), 0};
    size_t result = 0;
    while (input.pos < input.size) {
      ZSTD_outBuffer output{out.data(), out.size(), 0};
      result = ZSTD_decompressStream(context, &output, &input);
      if (ZSTD_isError(result)) break;
      all.insert(all.end(), out.begin(), out.begin() + static_cast<ptrdiff_t>(output.pos));
    }
    EXPECT_EQ(result, 0u);
    ZSTD_freeDCtx(context);
    return all;
  }
#endif
  return file;
}

}  // namespace sockflow::transport
