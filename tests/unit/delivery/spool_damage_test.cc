// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "delivery/spool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/delivery/spool_fixture.h"

namespace sockflow::delivery {
namespace {

using testing::ElementsAre;

// One segment file that a test damages. What comes out is always a part of what went in, in order.
class SpoolDamageTest : public SpoolTest {
 protected:
  void SetUp() override {
    auto spool = Open();
    AppendAll(*spool, messages_);
    spool.reset();
    segment_ = Segments().front();
    whole_ = ReadFile(segment_);
    first_entry_ = EncodeSegmentHead(kPreamble).size();
  }

  // Reads all that is left of `file`; it is damaged in one place.
  std::vector<Message> Survivors(const std::vector<uint8_t>& file) {
    WriteFile(segment_, file);
    auto spool = Open();
    EXPECT_NE(spool, nullptr);
    if (spool == nullptr) return {};
    const uint64_t messages = spool->messages();
    const uint64_t records = spool->records();
    // It still takes messages.
    EXPECT_TRUE(spool->Append(MakeMessage(5000), kPreamble).ok());
    std::vector<Message> all = PopAll(*spool);
    EXPECT_FALSE(all.empty());
    if (!all.empty()) {
      EXPECT_EQ(all.back(), MakeMessage(5000));
      all.pop_back();
    }
    EXPECT_EQ(all.size(), messages);
    EXPECT_EQ(RecordsOf(all), records);
    EXPECT_FALSE(spool->TakeDamage().any());  // all was found by Open
    EXPECT_LE(RecordsOf(all) + damage_.records, RecordsOf(messages_));
    auto next = messages_.begin();
    for (const Message& message : all) {
      next = std::find(next, messages_.end(), message);
      EXPECT_NE(next, messages_.end());
      if (next == messages_.end()) break;
      ++next;
    }
    return all;
  }

  const std::vector<Message> messages_ = MakeMessages(8, 30);
  std::string segment_;
  std::vector<uint8_t> whole_;
  size_t first_entry_ = 0;
};

TEST_F(SpoolDamageTest, AnyOctetMayFlip) {
  const size_t entry = kEntryHeaderOctets + 30;
  for (size_t i = 0; i < whole_.size(); ++i) {
    SCOPED_TRACE(i);
    std::vector<uint8_t> file = whole_;
    file[i] ^= static_cast<uint8_t>(1u << (i % 8));
    const size_t survivors = Survivors(file).size();
    EXPECT_EQ(survivors + damage_.entries, messages_.size());
    if (i < kFirstEntry) {
      EXPECT_EQ(survivors, messages_.size());  // nothing depends on the header
    } else if (i < first_entry_) {
      EXPECT_EQ(survivors, 0u);  // nothing can be decoded
      EXPECT_EQ(damage_.records, RecordsOf(messages_));
    } else {
      EXPECT_EQ(survivors, messages_.size() - 1);
      EXPECT_EQ(damage_.octets, entry);
      // Known from the tally where the header of the entry is hit.
      EXPECT_EQ(damage_.records, messages_[(i - first_entry_) / entry].records);
    }
  }
}

TEST_F(SpoolDamageTest, MayBeCutAnywhere) {
  const size_t entry = kEntryHeaderOctets + 30;
  for (size_t size = 0; size < whole_.size(); ++size) {
    SCOPED_TRACE(size);
    const std::vector<Message> survivors =
        Survivors({whole_.begin(), whole_.begin() + static_cast<ptrdiff_t>(size)});
    EXPECT_EQ(survivors.size(), size < first_entry_ ? 0 : (size - first_entry_) / entry);
    if (size < kFirstEntry) continue;  // nothing tells how many there were
    EXPECT_EQ(damage_.entries, messages_.size() - survivors.size());
    EXPECT_EQ(damage_.records, RecordsOf(messages_) - RecordsOf(survivors));
    if (size < first_entry_) continue;
    EXPECT_EQ(damage_.octets, (size - first_entry_) % entry);
  }
}

TEST_F(SpoolDamageTest, HolesAndForeignOctets) {
  std::mt19937 random(1);
  const auto below = [&](size_t limit) { return random() % limit; };
  size_t survivors = 0;
  for (int round = 0; round < 3000; ++round) {
    SCOPED_TRACE(round);
    std::vector<uint8_t> file = whole_;
    for (size_t hits = 1 + below(3); hits > 0; --hits) {
      const auto at = file.begin() + static_cast<ptrdiff_t>(below(file.size()));
      const auto end = at + static_cast<ptrdiff_t>(below(static_cast<size_t>(file.end() - at) + 1));
      switch (below(5)) {
        case 0:
          std::fill(at, end, 0);
          break;
        case 1:
          std::generate(at, end, [&] { return static_cast<uint8_t>(random()); });
          break;
        case 2:
          file.erase(at, end);
          break;
        case 3:
          file.insert(at, below(200), 'S');
          break;
        case 4: {
          // A header whose length is 4 GiB, and one that lies about the records.
          const std::vector<uint8_t> lie = {'S', 'F', 'e', 'D', 255, 255,
                                            255, 255, 255, 255, 255, 255};
          file.insert(at, lie.begin(), lie.end());
          break;
        }
      }
      if (file.empty()) file.push_back(0);
    }
    survivors += Survivors(file).size();
  }
  EXPECT_GT(survivors, 1000u);
}

TEST_F(SpoolDamageTest, IsFoundAlsoWhenItComesLater) {
  auto spool = Open();
  std::vector<uint8_t> file = whole_;
  const size_t entry = kEntryHeaderOctets + 30;
  file[first_entry_ + 3 * entry + kEntryHeaderOctets] ^= 1;
  WriteFile(segment_, file);
  EXPECT_EQ(PopAll(*spool).size(), 7u);
  Damage lost = spool->TakeDamage();
  EXPECT_EQ(lost.entries, 1u);
  EXPECT_EQ(lost.records, messages_[3].records);

  // While it is read.
  AppendAll(*spool, messages_);
  ASSERT_NE(spool->Front(), nullptr);
  const std::string now = Segments().front();
  const int fd = open(now.c_str(), O_WRONLY);
  ASSERT_EQ(pwrite(fd, "?", 1, static_cast<off_t>(first_entry_ + 7 * entry + kEntryHeaderOctets)),
            1);
  close(fd);
  EXPECT_EQ(PopAll(*spool).size(), 7u);
  lost = spool->TakeDamage();
  EXPECT_EQ(lost.entries, 1u);
  EXPECT_EQ(lost.records, messages_[7].records);
}

// What was popped by an earlier agent must not come back as more than is known to wait.
TEST_F(SpoolDamageTest, APositionThatIsLostLater) {
  {
    auto spool = Open();
    for (int i = 0; i < 5; ++i) spool->Pop();
  }
  auto spool = Open();
  EXPECT_EQ(spool->messages(), 3u);
  std::vector<uint8_t> file = ReadFile(segment_);
  file[kPositionAt] ^= 1;
  WriteFile(segment_, file);
  EXPECT_THAT(PopAll(*spool), ElementsAre(messages_[5], messages_[6], messages_[7]));
}

TEST_F(SpoolDamageTest, EmptyAndHugeFiles) {
  WriteFile(segment_, {});
  const std::string huge = path_ + "/segment-000000000002";
  WriteFile(huge, whole_);
  std::filesystem::resize_file(huge, 5'000'000'000);  // a hole
  auto spool = Open();
  EXPECT_EQ(spool->messages(), 0u);
  EXPECT_EQ(damage_.octets, 5'000'000'000u);
  EXPECT_THAT(Segments(), testing::IsEmpty());
}

}  // namespace
}  // namespace sockflow::delivery
