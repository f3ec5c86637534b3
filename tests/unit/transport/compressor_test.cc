// SPDX-License-Identifier: MIT
#include "transport/compressor.h"

#include <fcntl.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/temporary_directory.h"
#include "tests/unit/transport/decompress.h"
#include "tests/unit/transport/messages.h"
#include "transport/socket.h"

namespace sockflow::transport {
namespace {

class CompressorTest : public testing::TestWithParam<Compression> {
 protected:
  void SetUp() override {
    absl::StatusOr<std::unique_ptr<Compressor>> made = Compressor::Make(GetParam());
    if (absl::IsUnimplemented(made.status())) {
      EXPECT_THAT(std::string(made.status().message()), testing::HasSubstr("use gzip"));
      GTEST_SKIP() << made.status();
    }
    ASSERT_TRUE(made.ok()) << made.status();
    compressor_ = *std::move(made);
  }

  // `contents` as units, one after another; where each ends.
  std::vector<uint8_t> Units(const std::vector<std::vector<uint8_t>>& contents,
                             std::vector<uint64_t>& ends) {
    std::vector<uint8_t> file;
    for (const std::vector<uint8_t>& content : contents) {
      std::vector<uint8_t> unit = content;
      if (compressor_ != nullptr) {
        EXPECT_TRUE(compressor_->Compress(content, unit).ok());
        EXPECT_LE(unit.size(), compressor_->Bound(content.size()));
      }
      file.insert(file.end(), unit.begin(), unit.end());
      ends.push_back(file.size());
    }
    return file;
  }

  uint64_t Whole(const std::vector<uint8_t>& file) {
    WriteFile(directory_ / "file", file);
    const Socket fd(open((directory_ / "file").c_str(), O_RDONLY));
    const absl::StatusOr<uint64_t> whole = WholeOctets(GetParam(), fd.fd());
    EXPECT_TRUE(whole.ok()) << whole.status();
    return whole.value_or(UINT64_MAX);
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Compressor> compressor_;
};

TEST_P(CompressorTest, GivesBackWhatWentIn) {
  const std::vector<std::vector<uint8_t>> contents = {
      SomeMessage(65535, 1), std::vector<uint8_t>(300'000, 7), SomeMessage(16, 2)};
  std::vector<uint64_t> ends;
  EXPECT_EQ(Decompress(GetParam(), Units(contents, ends)), Joined(contents));
}

TEST_P(CompressorTest, FindsTheLastWholeUnitWhereverTheFileIsCut) {
  std::vector<uint64_t> ends;
  const std::vector<uint8_t> file =
      Units({SomeMessage(40, 1), SomeMessage(200, 2), SomeMessage(16, 3)}, ends);
  for (size_t size = 0; size <= file.size(); ++size) {
    uint64_t expected = 0;
    for (const uint64_t end : ends) {
      if (end <= size) expected = end;
    }
    EXPECT_EQ(Whole({file.begin(), file.begin() + static_cast<ptrdiff_t>(size)}), expected) << size;
  }
}

TEST_P(CompressorTest, StopsAtWhatIsNoUnit) {
  std::vector<uint64_t> ends;
  std::vector<uint8_t> file = Units({SomeMessage(40, 1), SomeMessage(3000, 2)}, ends);
  const uint64_t whole = file.size();
  file.resize(file.size() + 100'000);  // zeros: what a host's crash leaves
  EXPECT_EQ(Whole(file), whole);
  EXPECT_EQ(Whole(std::vector<uint8_t>(50, 0xff)), 0u);
}

INSTANTIATE_TEST_SUITE_P(All, CompressorTest, EveryCompression(), CompressionName);

}  // namespace
}  // namespace sockflow::transport
