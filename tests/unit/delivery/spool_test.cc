// SPDX-License-Identifier: MIT
#include "delivery/spool.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/temporary_directory.h"

namespace sockflow::delivery {
namespace {

using ipfix::Message;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint64_t kMaxOctets = 1 << 20;

std::string TextOf(const absl::Status& status) { return std::string(status.message()); }

Message MakeMessage(uint32_t number, size_t octets = 60) {
  Message message{.octets = std::vector<uint8_t>(octets, static_cast<uint8_t>(number)),
                  .records = number % 7 + 1};
  for (size_t i = 0; i < 4 && i < octets; ++i) {
    message.octets[i] = static_cast<uint8_t>(number >> (8 * i));
  }
  return message;
}

std::vector<Message> MakeMessages(uint32_t count, size_t octets = 60) {
  std::vector<Message> messages;
  for (uint32_t i = 0; i < count; ++i) messages.push_back(MakeMessage(i, octets));
  return messages;
}

uint64_t RecordsOf(const std::vector<Message>& messages) {
  uint64_t records = 0;
  for (const Message& message : messages) records += message.records;
  return records;
}

const Preamble kPreamble = {MakeMessage(1000, 90), MakeMessage(1001, 40)};
const Preamble kOtherPreamble = {MakeMessage(2000, 50)};

class SpoolTest : public testing::Test {
 protected:
  std::unique_ptr<Spool> Open(uint64_t segment_octets = 4096, uint64_t max_octets = kMaxOctets) {
    damage_ = {};
    auto spool = Spool::Open({path_, max_octets, segment_octets}, &damage_);
    EXPECT_TRUE(spool.ok()) << spool.status();
    return spool.ok() ? *std::move(spool) : nullptr;
  }

  static void AppendAll(Spool& spool, const std::vector<Message>& messages,
                        const Preamble& preamble = kPreamble) {
    for (const Message& message : messages) {
      const absl::Status status = spool.Append(message, preamble);
      ASSERT_TRUE(status.ok()) << status;
    }
  }

  static std::vector<Message> PopAll(Spool& spool, const Preamble& preamble = kPreamble) {
    std::vector<Message> messages;
    while (const Spool::Item* item = spool.Front()) {
      messages.push_back(item->message);
      EXPECT_EQ(*item->preamble, preamble);
      spool.Pop();
    }
    EXPECT_EQ(spool.messages(), 0u);
    EXPECT_EQ(spool.records(), 0u);
    return messages;
  }

  std::vector<std::string> Segments() const {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      if (entry.path().filename() != "lock") paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }
  uint64_t OctetsOnDisk() const {
    uint64_t octets = 0;
    for (const std::string& path : Segments()) octets += std::filesystem::file_size(path);
    return octets;
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "spool";
  Damage damage_;
};

TEST_F(SpoolTest, GivesBackInOrderWhileItIsFilled) {
  auto spool = Open(600);
  const std::vector<Message> messages = MakeMessages(500);
  std::vector<Message> received;
  for (size_t i = 0; i < messages.size(); ++i) {
    ASSERT_TRUE(spool->Append(messages[i], kPreamble).ok());
    EXPECT_EQ(spool->messages(), i + 1 - received.size());
    EXPECT_EQ(spool->octets(), OctetsOnDisk());
    if (i % 3 == 0) continue;  // fills faster than it drains, then empties
    for (size_t take = i < 250 ? 1 : 4; take > 0 && spool->Front() != nullptr; --take) {
      received.push_back(spool->Front()->message);
      spool->Pop();
    }
  }
  EXPECT_LE(Segments().size(), 3u);
  const std::vector<Message> rest = PopAll(*spool);
  received.insert(received.end(), rest.begin(), rest.end());
  EXPECT_EQ(received, messages);
  EXPECT_EQ(spool->octets(), OctetsOnDisk());
  EXPECT_TRUE(spool->Close().ok());
  EXPECT_THAT(Segments(), testing::IsEmpty());
  EXPECT_FALSE(spool->TakeDamage().any());
}

TEST_F(SpoolTest, PutsBeforeWhatWaits) {
  auto spool = Open(600);
  const std::vector<Message> messages = MakeMessages(30);
  AppendAll(*spool, {messages.begin() + 9, messages.end()});
  const auto put = [&](int begin, int end) {
    std::vector<const Message*> some;
    for (int i = begin; i < end; ++i) some.push_back(&messages[i]);
    const absl::Status status = spool->PutBefore(some, kPreamble);
    EXPECT_TRUE(status.ok()) << status;
  };
  put(4, 9);
  put(0, 4);
  EXPECT_EQ(spool->records(), RecordsOf(messages));
  EXPECT_EQ(spool->octets(), OctetsOnDisk());
  EXPECT_TRUE(spool->Close().ok());
  spool.reset();
  spool = Open();
  EXPECT_FALSE(damage_.any());
  EXPECT_EQ(PopAll(*spool), messages);
}

TEST_F(SpoolTest, PutsNothingBeforeWhereItIsFull) {
  auto spool = Open(4096, 300'000);
  AppendAll(*spool, MakeMessages(4, 60'000));
  const Message large = MakeMessage(5, 60'000);
  const Message* const messages[] = {&large};
  EXPECT_TRUE(absl::IsResourceExhausted(spool->PutBefore(messages, kPreamble)));
  EXPECT_EQ(spool->messages(), 4u);
  EXPECT_EQ(spool->octets(), OctetsOnDisk());
}

TEST_F(SpoolTest, ReadsAhead) {
  auto spool = Open(600);
  const std::vector<Message> messages = MakeMessages(30);
  AppendAll(*spool, messages);
  ASSERT_NE(spool->At(29), nullptr);
  EXPECT_EQ(spool->At(30), nullptr);
  for (size_t i = 0; i < messages.size(); ++i) EXPECT_EQ(spool->At(i)->message, messages[i]);
  // One preamble, though it stands in each of the files.
  EXPECT_EQ(spool->At(0)->preamble, spool->At(29)->preamble);
  EXPECT_GT(Segments().size(), 2u);
  for (int i = 0; i < 10; ++i) spool->Pop();
  EXPECT_EQ(spool->At(0)->message, messages[10]);
  ASSERT_TRUE(spool->Append(MakeMessage(77), kPreamble).ok());
  EXPECT_EQ(spool->At(20)->message, MakeMessage(77));
  EXPECT_EQ(PopAll(*spool).size(), 21u);
  spool->Pop();  // does nothing
}

TEST_F(SpoolTest, EachMessageComesWithThePreambleItWasWrittenWith) {
  for (const bool restart : {false, true}) {
    auto spool = Open();
    ASSERT_TRUE(spool->Append(MakeMessage(1), kPreamble).ok());
    ASSERT_TRUE(spool->Append(MakeMessage(2), kOtherPreamble).ok());
    ASSERT_TRUE(spool->Append(MakeMessage(3), kOtherPreamble).ok());
    ASSERT_TRUE(spool->Append(MakeMessage(4), {}).ok());
    if (restart) {
      EXPECT_TRUE(spool->Close().ok());
      spool = Open();
    }
    EXPECT_EQ(spool->messages(), 4u);
    EXPECT_EQ(*spool->At(0)->preamble, kPreamble);
    EXPECT_EQ(*spool->At(1)->preamble, kOtherPreamble);
    EXPECT_EQ(spool->At(1)->preamble, spool->At(2)->preamble);
    EXPECT_EQ(*spool->At(3)->preamble, Preamble());
    while (spool->Front() != nullptr) spool->Pop();
  }
}

TEST_F(SpoolTest, SurvivesARestartAndACrash) {
  const std::vector<Message> messages = MakeMessages(100);
  for (const bool crash : {false, true}) {
    auto spool = Open(1000);
    AppendAll(*spool, messages);
    for (int i = 0; i < 37; ++i) spool->Pop();
    if (!crash) {
      EXPECT_TRUE(spool->Close().ok());
    }
    spool.reset();
    spool = Open(5000);
    EXPECT_FALSE(damage_.any());
    EXPECT_EQ(spool->messages(), 63u);
    EXPECT_EQ(spool->records(), RecordsOf({messages.begin() + 37, messages.end()}));
    EXPECT_EQ(spool->octets(), OctetsOnDisk());
    // What comes now goes behind it.
    ASSERT_TRUE(spool->Append(MakeMessage(5000), kPreamble).ok());
    std::vector<Message> expected(messages.begin() + 37, messages.end());
    expected.push_back(MakeMessage(5000));
    EXPECT_EQ(PopAll(*spool), expected);
    EXPECT_TRUE(spool->Close().ok());
  }
}

TEST_F(SpoolTest, AnEmptiedSpoolGivesNothingTwice) {
  auto spool = Open();
  AppendAll(*spool, MakeMessages(10));
  PopAll(*spool);
  ASSERT_TRUE(spool->Append(MakeMessage(50), kPreamble).ok());
  spool.reset();  // a crash
  spool = Open();
  EXPECT_THAT(PopAll(*spool), ElementsAre(MakeMessage(50)));
  EXPECT_FALSE(damage_.any());
}

TEST_F(SpoolTest, ItsLimitHoldsAndNothingIsWritten) {
  constexpr uint64_t kLimit = 256 << 10;
  auto spool = Open(1 << 20, kLimit);
  uint32_t count = 0;
  absl::Status status;
  while ((status = spool->Append(MakeMessage(count, 1400), kPreamble)).ok()) ++count;
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(TextOf(status), HasSubstr("limit of 262144 octets"));
  EXPECT_EQ(count, spool->messages());
  EXPECT_GT(count, 180u);
  EXPECT_LE(OctetsOnDisk(), kLimit);
  EXPECT_EQ(spool->octets(), OctetsOnDisk());
  // Another preamble would not fit either.
  EXPECT_TRUE(absl::IsResourceExhausted(spool->Append(MakeMessage(0, 1400), kOtherPreamble)));
  // A quarter is popped: its file goes, and there is room.
  for (uint32_t i = 0; i < count / 4 + 1; ++i) spool->Pop();
  EXPECT_TRUE(spool->Append(MakeMessage(count, 1400), kPreamble).ok());
  EXPECT_EQ(spool->octets(), OctetsOnDisk());
  EXPECT_EQ(PopAll(*spool).size(), count - count / 4);
}

TEST_F(SpoolTest, AFullDiskLeavesWholeEntries) {
  auto spool = Open(1 << 20);
  std::vector<Message> messages = MakeMessages(20, 1400);
  {
    const FileSizeLimit limit(10'000);
    size_t written = 0;
    absl::Status status;
    for (const Message& message : messages) {
      status = spool->Append(message, kPreamble);
      if (!status.ok()) break;
      ++written;
    }
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_THAT(TextOf(status), HasSubstr("segment-000001000000"));
    EXPECT_EQ(spool->messages(), written);
    EXPECT_EQ(spool->octets(), OctetsOnDisk());
    messages.resize(written);
    EXPECT_GT(written, 4u);
  }
  // There is room again.
  ASSERT_TRUE(spool->Append(MakeMessage(99), kPreamble).ok());
  messages.push_back(MakeMessage(99));
  spool.reset();
  spool = Open();
  EXPECT_FALSE(damage_.any());
  EXPECT_EQ(PopAll(*spool), messages);
}

TEST_F(SpoolTest, ADiskWithoutRoomForASegment) {
  auto spool = Open();
  const FileSizeLimit limit(100);
  EXPECT_FALSE(spool->Append(MakeMessage(1), kPreamble).ok());
  EXPECT_THAT(Segments(), testing::IsEmpty());
  EXPECT_EQ(spool->octets(), 0u);
  EXPECT_EQ(spool->Front(), nullptr);
}

TEST_F(SpoolTest, IsForOneAgentAlone) {
  auto spool = Open();
  Damage damage;
  const auto second = Spool::Open({path_, kMaxOctets}, &damage);
  EXPECT_TRUE(absl::IsUnavailable(second.status()));
  EXPECT_THAT(TextOf(second.status()), HasSubstr("is in use"));
  EXPECT_TRUE(spool->Close().ok());
  EXPECT_TRUE(Spool::Open({path_, kMaxOctets}, &damage).ok());
}

TEST_F(SpoolTest, KeepsOthersOut) {
  auto spool = Open();
  AppendAll(*spool, MakeMessages(1));
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  ASSERT_EQ(stat(Segments().front().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(SpoolTest, RefusesWhatMakesNoSense) {
  Damage damage;
  EXPECT_THAT(TextOf(Spool::Open({path_, 1000}, &damage).status()), HasSubstr("is too small"));
  EXPECT_THAT(TextOf(Spool::Open({directory_ / "no/such", kMaxOctets}, &damage).status()),
              HasSubstr("make the directory first"));
  WriteFile(directory_ / "file", {1});
  EXPECT_FALSE(Spool::Open({directory_ / "file", kMaxOctets}, &damage).ok());
  auto spool = Open();
  EXPECT_TRUE(absl::IsInvalidArgument(spool->Append(MakeMessage(1, 65536), kPreamble)));
  EXPECT_TRUE(spool->Append(MakeMessage(1, 65535), kPreamble).ok());
  EXPECT_EQ(PopAll(*spool).size(), 1u);
}

TEST_F(SpoolTest, LeavesForeignFilesAlone) {
  std::filesystem::create_directory(path_);
  const std::vector<std::string> foreign = {"notes.txt", "segment-1", "segment-00000000000x",
                                            "segment-0000000000001"};
  for (const std::string& name : foreign) WriteFile(path_ + "/" + name, {1, 2, 3});
  std::filesystem::create_directory(path_ + "/segment-000000000007");
  std::filesystem::create_symlink("/dev/zero", path_ + "/segment-000000000008");
  ASSERT_EQ(mkfifo((path_ + "/segment-000000000009").c_str(), 0600), 0);
  auto spool = Open();
  EXPECT_FALSE(damage_.any());
  AppendAll(*spool, MakeMessages(10));
  EXPECT_EQ(PopAll(*spool).size(), 10u);
  EXPECT_TRUE(spool->Close().ok());
  EXPECT_EQ(Segments().size(), foreign.size() + 3);
}

TEST_F(SpoolTest, RefusesAnotherVersionsFiles) {
  auto spool = Open();
  AppendAll(*spool, MakeMessages(1));
  spool.reset();
  std::vector<uint8_t> file = ReadFile(Segments().front());
  file[11] = 2;
  // Such a field alone is damage, which the CRC tells; the entries are there all the same.
  WriteFile(Segments().front(), file);
  EXPECT_EQ(Open()->messages(), 1u);
  uint32_t crc = 0xffffffff;  // CRC-32, reflected, as zlib's
  for (size_t i = 0; i < 12; ++i) {
    crc ^= file[i];
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  for (int i = 0; i < 4; ++i) file[12 + i] = static_cast<uint8_t>(~crc >> (24 - 8 * i));
  WriteFile(Segments().front(), file);
  Damage damage;
  const auto refused = Spool::Open({path_, kMaxOctets}, &damage);
  EXPECT_THAT(TextOf(refused.status()), HasSubstr("format is 2"));
  EXPECT_EQ(Segments().size(), 1u);
}

TEST_F(SpoolTest, SurvivesThatItsFilesGo) {
  auto spool = Open(1000);
  const std::vector<Message> messages = MakeMessages(50);
  AppendAll(*spool, messages);
  const std::vector<std::string> segments = Segments();
  ASSERT_GE(segments.size(), 4u);
  std::filesystem::remove(segments[1]);
  std::filesystem::remove(segments.back());
  ASSERT_TRUE(spool->Append(MakeMessage(50), kPreamble).ok());
  const std::vector<Message> received = PopAll(*spool);
  const Damage lost = spool->TakeDamage();
  EXPECT_EQ(received.size() + lost.entries, 51u);
  EXPECT_GT(lost.entries, 10u);
  EXPECT_EQ(RecordsOf(received) + lost.records, RecordsOf(messages) + MakeMessage(50).records);
  EXPECT_FALSE(spool->TakeDamage().any());
  // And goes on.
  ASSERT_TRUE(spool->Append(MakeMessage(51), kPreamble).ok());
  EXPECT_THAT(PopAll(*spool), ElementsAre(MakeMessage(51)));
}

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
