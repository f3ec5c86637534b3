// SPDX-License-Identifier: MIT
#include "delivery/spool.h"

#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/delivery/spool_fixture.h"

namespace sockflow::delivery {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

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

}  // namespace
}  // namespace sockflow::delivery
