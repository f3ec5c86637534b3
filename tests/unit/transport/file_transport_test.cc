// SPDX-License-Identifier: MIT
#include "transport/file_transport.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/temporary_directory.h"
#include "tests/unit/transport/decompress.h"
#include "tests/unit/transport/messages.h"
#include "transport/disk.h"
#include "transport/waiter.h"

namespace sockflow::transport {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Clock = Transport::Clock;
using Outcome = Transport::Outcome;
using Options = FileTransport::Options;

std::string TextOf(const absl::Status& status) { return std::string(status.message()); }

class FileTransportTest : public testing::Test {
 protected:
  // 2026-11-21 10:15:00 UTC
  Time start_ = Time(1795256100s);

  std::unique_ptr<FileTransport> Make(Options options) {
    if (options.path.empty()) options.path = directory_.path();
    options.note = [this](const std::string& note) { notes_.push_back(note); };
    options.now = [this] { return now_; };
    options.wall_clock = [this] { return start_ + now_.time_since_epoch(); };
    auto made = FileTransport::Make(std::move(options));
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }
  std::unique_ptr<FileTransport> MakeOpen(Options options) {
    auto transport = Make(std::move(options));
    EXPECT_TRUE(Open(*transport).ok());
    return transport;
  }
  // Those since the last call.
  std::vector<std::string> TakeNotes(const std::unique_ptr<FileTransport>&) {
    return std::exchange(notes_, {});
  }
  absl::Status Open(FileTransport& transport) { return transport.Open(*waiter_, {}); }
  Transport::Result Send(FileTransport& transport,
                         const std::vector<std::vector<uint8_t>>& messages) {
    return transport.Send(Spans(messages), *waiter_, {});
  }
  absl::Status Close(FileTransport& transport) { return transport.Close(*waiter_, {}); }

  TemporaryDirectory directory_;
  std::unique_ptr<Waiter> waiter_ = *Waiter::Make();
  Clock::time_point now_{};
  std::vector<std::string> notes_;
};

// Each compression that this program has.
class FileTransportCompressionTest : public FileTransportTest,
                                     public testing::WithParamInterface<Compression> {
 protected:
  void SetUp() override {
    if (!Compressor::Make(GetParam()).ok()) GTEST_SKIP() << "built without it";
  }
  std::string Name(const std::string& name) const {
    return name + ".ipfix" + std::string(Extension(GetParam()));
  }
  std::vector<uint8_t> Contents(const std::string& name) const {
    return Decompress(GetParam(), ReadFile(directory_ / name));
  }
};

INSTANTIATE_TEST_SUITE_P(All, FileTransportCompressionTest, EveryCompression(), CompressionName);

TEST_P(FileTransportCompressionTest, AFileGetsItsNameWhenItIsComplete) {
  auto transport = MakeOpen({.compression = GetParam()});
  EXPECT_THAT(directory_.Names(), IsEmpty());  // nothing was sent
  const std::vector<std::vector<uint8_t>> messages = {SomeMessage(1400, 1), SomeMessage(16, 2),
                                                      SomeMessage(65535, 3)};
  for (const auto& message : messages) {
    const auto result = Send(*transport, {message});
    EXPECT_EQ(result.outcome, Outcome::kAll);
    EXPECT_EQ(result.accepted, 1u);
    now_ += 2s;
  }
  EXPECT_THAT(directory_.Names(), ElementsAre(Name(".sockflow-20261121T101500Z") + ".part"));
  EXPECT_TRUE(Close(*transport).ok());
  ASSERT_THAT(directory_.Names(), ElementsAre(Name("sockflow-20261121T101500Z")));
  EXPECT_EQ(Contents(Name("sockflow-20261121T101500Z")), Joined(messages));
  struct stat status {};
  ASSERT_EQ(stat((directory_ / Name("sockflow-20261121T101500Z")).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07, 0u);
  EXPECT_TRUE(Close(*transport).ok());  // does nothing
  EXPECT_THAT(TakeNotes(transport), IsEmpty());
}

TEST_P(FileTransportCompressionTest, BeginsANewFileBeforeOneIsTooLong) {
  auto transport =
      MakeOpen({.max_octets = FileTransport::kSmallestMaxOctets, .compression = GetParam()});
  std::vector<std::vector<uint8_t>> messages;
  for (uint32_t i = 0; i < 400; ++i) messages.push_back(SomeMessage(1400 + i, i));
  size_t sent = 0;
  size_t sessions = 1;
  while (sent < messages.size()) {
    const auto result =
        Send(*transport, {messages.begin() + static_cast<ptrdiff_t>(sent), messages.end()});
    sent += result.accepted;
    EXPECT_TRUE(result.status.ok()) << result.status;
    EXPECT_EQ(transport->unconfirmed() == 0,
              result.outcome == Outcome::kSessionOver || GetParam() == Compression::kNone);
    if (result.outcome != Outcome::kSessionOver) continue;
    ++sessions;
    ASSERT_TRUE(Open(*transport).ok());
  }
  EXPECT_TRUE(Close(*transport).ok());
  const std::vector<std::string> names = directory_.Names();
  EXPECT_EQ(names.size(), sessions);
  EXPECT_THAT(names,
              ElementsAre(Name("sockflow-20261121T101500Z"), Name("sockflow-20261121T101500Z_001"),
                          Name("sockflow-20261121T101500Z_002")));
  std::vector<uint8_t> all;
  for (const std::string& name : names) {
    const uint64_t size = std::filesystem::file_size(directory_ / name);
    EXPECT_LE(size, FileTransport::kSmallestMaxOctets);
    if (name != names.back()) {
      EXPECT_GE(size, FileTransport::kSmallestMaxOctets - 4000);
    }
    const std::vector<uint8_t> contents = Contents(name);
    all.insert(all.end(), contents.begin(), contents.end());
  }
  EXPECT_EQ(all, Joined(messages));
}

TEST_P(FileTransportCompressionTest, CompletesWhatACrashLeft) {
  const std::vector<std::vector<uint8_t>> messages = {SomeMessage(300, 1), SomeMessage(400, 2)};
  const std::string name = Name("sockflow-20261121T101500Z");
  const std::string part = directory_ / ("." + name + ".part");
  uint64_t first_unit = 0;
  {
    auto transport = MakeOpen({.compression = GetParam()});
    for (const auto& message : messages) {
      Send(*transport, {message});
      now_ += FileTransport::kBlockWait;
      EXPECT_EQ(transport->Check().outcome, Outcome::kAll);
      if (first_unit == 0) first_unit = std::filesystem::file_size(part);
    }
    // While its writer lives nobody else touches it.
    EXPECT_THAT(TakeNotes(MakeOpen({.compression = GetParam()})), IsEmpty());
    ASSERT_TRUE(std::filesystem::exists(part));
  }
  const std::vector<uint8_t> whole = ReadFile(part);
  {
    const auto notes = TakeNotes(MakeOpen({}));  // whatever compression is configured now
    EXPECT_THAT(notes, ElementsAre(HasSubstr("nothing in it is lost")));
    EXPECT_EQ(Contents(name), Joined(messages));
    EXPECT_FALSE(std::filesystem::exists(part));
  }
  for (const size_t cut : {whole.size() - 1, static_cast<size_t>(first_unit) + 1}) {
    std::filesystem::remove(directory_ / name);
    WriteFile(part, {whole.begin(), whole.begin() + static_cast<ptrdiff_t>(cut)});
    EXPECT_THAT(TakeNotes(MakeOpen({})), ElementsAre(HasSubstr("were cut off")));
    EXPECT_EQ(Contents(name), messages[0]);
  }
  // The name is taken: by another one of the same second.
  WriteFile(part, whole);
  EXPECT_THAT(TakeNotes(MakeOpen({})), ElementsAre(HasSubstr("101500Z_001.ipfix")));
  EXPECT_EQ(Contents(name), messages[0]);
  EXPECT_EQ(Contents(Name("sockflow-20261121T101500Z_001")), Joined(messages));
}

TEST_P(FileTransportCompressionTest, KeepsAsItIsWhatIsDamagedMoreThanACrashCan) {
  const std::string name = Name("sockflow-20261121T101500Z");
  std::vector<uint8_t> file = SomeMessage(300, 1);
  file.resize(1'000'000);
  WriteFile(directory_ / ("." + name + ".part"), file);
  WriteFile(directory_ / Name(".sockflow-20261121T101501Z") + ".part", {});
  WriteFile(directory_ / ".sockflow-20261121T101502Z.ipfix.bz2.part", {1, 2});
  WriteFile(directory_ / ".other-20261121T101502Z.ipfix.part", {1, 2});
  const auto notes = TakeNotes(MakeOpen({}));
  EXPECT_THAT(notes, testing::UnorderedElementsAre(HasSubstr("is kept as it is"),
                                                   HasSubstr("was empty and is removed")));
  EXPECT_THAT(directory_.Names(),
              ElementsAre(".other-20261121T101502Z.ipfix.part",
                          ".sockflow-20261121T101502Z.ipfix.bz2.part", name + ".damaged"));
  EXPECT_EQ(ReadFile(directory_ / name + ".damaged"), file);
}

// The frame that could not be written is the caller's again, whenever it was accepted.
TEST_P(FileTransportCompressionTest, AFullDiskLeavesAWholeFileAndLosesNothing) {
  auto transport = MakeOpen({.compression = GetParam()});
  std::vector<std::vector<uint8_t>> messages;
  for (uint32_t i = 0; i < 500; ++i) messages.push_back(SomeMessage(1400, i));
  size_t arrived = 0;
  Transport::Result result;
  {
    const FileSizeLimit limit(400'000);
    for (const auto& message : messages) {
      result = Send(*transport, {message});
      arrived += result.accepted;
      if (result.outcome != Outcome::kAll) break;
    }
  }
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_TRUE(absl::IsResourceExhausted(result.status)) << result.status;
  EXPECT_THAT(TextOf(result.status), HasSubstr("sockflow-20261121T101500Z.ipfix"));
  EXPECT_THAT(TextOf(result.status), HasSubstr("raise the limit of the file size"));
  EXPECT_EQ(result.accepted, 0u);
  arrived -= transport->unconfirmed();
  EXPECT_EQ(transport->unconfirmed() > 0, GetParam() != Compression::kNone);
  EXPECT_THAT(directory_.Names(), ElementsAre(Name("sockflow-20261121T101500Z")));
  EXPECT_GT(arrived, 150u);
  EXPECT_EQ(Contents(Name("sockflow-20261121T101500Z")), Joined(messages, 0, arrived));

  // And on it goes when there is room.
  ASSERT_TRUE(Open(*transport).ok());
  EXPECT_EQ(transport->unconfirmed(), 0u);
  EXPECT_EQ(Send(*transport, {messages.begin() + static_cast<ptrdiff_t>(arrived), messages.end()})
                .outcome,
            Outcome::kAll);
  EXPECT_TRUE(Close(*transport).ok());
  EXPECT_EQ(Contents(Name("sockflow-20261121T101500Z_001")), Joined(messages, arrived));
}

TEST_F(FileTransportTest, CountsOnlyWhatIsInTheFileAsAcceptedWhenACallFails) {
  auto transport = MakeOpen({});
  const FileSizeLimit limit(400'000);
  std::vector<std::vector<uint8_t>> messages(20, SomeMessage(40'000, 1));
  const auto result = Send(*transport, messages);
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_EQ(result.accepted, 7u);  // the first that make a block
  EXPECT_EQ(transport->unconfirmed(), 0u);
  EXPECT_EQ(ReadFile(directory_ / "sockflow-20261121T101500Z.ipfix"), Joined(messages, 0, 7));
}

TEST_F(FileTransportTest, LeavesNoFileIfNotOneMessageFits) {
  auto transport = MakeOpen({});
  const FileSizeLimit limit(100);
  EXPECT_EQ(Send(*transport, {SomeMessage(1400, 1)}).outcome, Outcome::kSessionOver);
  EXPECT_THAT(directory_.Names(), IsEmpty());
}

TEST_F(FileTransportTest, CompressedMessagesReachTheFileInTime) {
  auto transport = MakeOpen({.compression = Compression::kGzip});
  EXPECT_EQ(transport->next_check(), Clock::time_point::max());
  Send(*transport, {SomeMessage(1400, 1)});
  const std::string part = directory_ / ".sockflow-20261121T101500Z.ipfix.gz.part";
  EXPECT_EQ(transport->next_check(), Clock::time_point(FileTransport::kBlockWait));
  EXPECT_EQ(transport->unconfirmed(), 1u);
  now_ += FileTransport::kBlockWait - 1ns;
  EXPECT_EQ(transport->Check().outcome, Outcome::kAll);
  EXPECT_EQ(std::filesystem::file_size(part), 0u);
  now_ += 1ns;
  EXPECT_EQ(transport->Check().outcome, Outcome::kAll);
  EXPECT_EQ(Decompress(Compression::kGzip, ReadFile(part)), SomeMessage(1400, 1));
  EXPECT_EQ(transport->unconfirmed(), 0u);
  EXPECT_EQ(transport->next_check(), Clock::time_point::max());
  EXPECT_TRUE(Close(*transport).ok());
}

TEST_F(FileTransportTest, EndsAtMultiplesOfItsAge) {
  now_ += 70s;  // 10:16:10
  auto transport = MakeOpen({.max_age = 300s, .compression = Compression::kGzip});
  Send(*transport, {SomeMessage(100, 1)});
  now_ += 10s;
  EXPECT_EQ(transport->Check().outcome, Outcome::kAll);
  EXPECT_EQ(transport->next_check(), Clock::time_point(300s));
  now_ = Clock::time_point(299s);
  EXPECT_EQ(Send(*transport, {SomeMessage(100, 2)}).outcome, Outcome::kAll);
  EXPECT_EQ(transport->next_check(), Clock::time_point(300s));
  now_ = Clock::time_point(300s);
  // Whichever comes first.
  const auto result = Send(*transport, {SomeMessage(100, 3)});
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_EQ(result.accepted, 0u);
  EXPECT_TRUE(result.status.ok());
  EXPECT_EQ(transport->next_check(), Clock::time_point::max());
  EXPECT_EQ(
      Decompress(Compression::kGzip, ReadFile(directory_ / "sockflow-20261121T101610Z.ipfix.gz")),
      Joined({SomeMessage(100, 1), SomeMessage(100, 2)}));

  ASSERT_TRUE(Open(*transport).ok());
  Send(*transport, {SomeMessage(100, 3)});
  now_ = Clock::time_point(600s);
  const auto checked = transport->Check();
  EXPECT_EQ(checked.outcome, Outcome::kSessionOver);
  EXPECT_TRUE(checked.status.ok());
  EXPECT_EQ(
      Decompress(Compression::kGzip, ReadFile(directory_ / "sockflow-20261121T102000Z.ipfix.gz")),
      SomeMessage(100, 3));
}

TEST_F(FileTransportTest, APathMayEndWithTheBeginOfAName) {
  for (const char* path : {"web", "web.ipfix"}) {
    auto transport = MakeOpen({.path = directory_ / path});
    Send(*transport, {SomeMessage(100, 1)});
    EXPECT_TRUE(Close(*transport).ok());
  }
  EXPECT_THAT(directory_.Names(),
              ElementsAre("web-20261121T101500Z.ipfix", "web-20261121T101500Z_001.ipfix"));
}

TEST_F(FileTransportTest, TwoWriteIntoOneDirectory) {
  auto one = MakeOpen({}), other = MakeOpen({});
  Send(*one, {SomeMessage(100, 1)});
  Send(*other, {SomeMessage(100, 2)});
  EXPECT_TRUE(Close(*other).ok());
  EXPECT_TRUE(Close(*one).ok());
  EXPECT_EQ(ReadFile(directory_ / "sockflow-20261121T101500Z.ipfix"), SomeMessage(100, 1));
  EXPECT_EQ(ReadFile(directory_ / "sockflow-20261121T101500Z_001.ipfix"), SomeMessage(100, 2));
}

TEST_F(FileTransportTest, NeverOverwritesANameThatWasTakenMeanwhile) {
  auto transport = MakeOpen({});
  Send(*transport, {SomeMessage(100, 1)});
  WriteFile(directory_ / "sockflow-20261121T101500Z.ipfix", {42});
  EXPECT_TRUE(Close(*transport).ok());
  EXPECT_EQ(ReadFile(directory_ / "sockflow-20261121T101500Z.ipfix"), std::vector<uint8_t>{42});
  EXPECT_EQ(ReadFile(directory_ / "sockflow-20261121T101500Z_001.ipfix"), SomeMessage(100, 1));
}

TEST_F(FileTransportTest, SeesThatItsFileWasRemoved) {
  for (const bool by_check : {true, false}) {
    auto transport = MakeOpen({});
    Send(*transport, {SomeMessage(100, 1)});
    std::filesystem::remove(directory_ / ".sockflow-20261121T101500Z.ipfix.part");
    const auto result = by_check ? transport->Check() : Send(*transport, {SomeMessage(100, 2)});
    EXPECT_EQ(result.outcome, Outcome::kSessionOver);
    EXPECT_EQ(result.accepted, 0u);
    EXPECT_THAT(TextOf(result.status), HasSubstr("was removed or renamed"));
    EXPECT_THAT(TextOf(result.status), HasSubstr("with 1 messages"));
    EXPECT_THAT(directory_.Names(), IsEmpty());
    ASSERT_TRUE(Open(*transport).ok());
    EXPECT_EQ(Send(*transport, {SomeMessage(100, 2)}).outcome, Outcome::kAll);
    EXPECT_TRUE(Close(*transport).ok());
    std::filesystem::remove(directory_ / "sockflow-20261121T101500Z.ipfix");
  }
}

TEST_F(FileTransportTest, SaysWhatIsWrongWithTheDirectory) {
  const auto missing = Make({.path = directory_ / "no/such/"});
  EXPECT_THAT(TextOf(Open(*missing)), HasSubstr("make the directory first"));
  const auto missing_prefix = Make({.path = directory_ / "no/web"});
  EXPECT_THAT(TextOf(Open(*missing_prefix)), HasSubstr(directory_ / "no:"));
  WriteFile(directory_ / "file", {1});
  const auto no_directory = Make({.path = directory_ / "file/"});
  EXPECT_FALSE(Open(*no_directory).ok());
  // It is made in the meantime.
  std::filesystem::create_directory(directory_ / "no");
  EXPECT_TRUE(Open(*missing_prefix).ok());
  // It goes again: the session ends, nothing is accepted.
  std::filesystem::remove(directory_ / "no");
  const auto result = Send(*missing_prefix, {SomeMessage(100, 1)});
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_EQ(result.accepted, 0u);
  EXPECT_THAT(TextOf(result.status), HasSubstr("make the directory first"));
}

// Nothing can be made in the directory, or renamed, while it lives; root has to be nobody for that.
class ReadOnly {
 public:
  explicit ReadOnly(const std::filesystem::path& directory) : directory_(directory) {
    chmod(directory.c_str(), is_root_ ? 0755 : 0555);
    if (is_root_) {
      EXPECT_EQ(setresuid(65534, 65534, 0), 0);
    }
  }
  ~ReadOnly() {
    if (is_root_) {
      EXPECT_EQ(setresuid(0, 0, 0), 0);
    }
    chmod(directory_.c_str(), 0700);
  }
  ReadOnly(const ReadOnly&) = delete;
  ReadOnly& operator=(const ReadOnly&) = delete;

 private:
  std::filesystem::path directory_;
  bool is_root_ = geteuid() == 0;
};

TEST_F(FileTransportTest, SaysThatADirectoryMayNotBeWritten) {
  auto transport = Make({});
  const ReadOnly read_only(directory_.path());
  const std::string error = TextOf(Open(*transport));
  EXPECT_THAT(error, HasSubstr("Permission denied"));
  EXPECT_THAT(error, HasSubstr("give the user of the agent the right"));
}

// The file keeps its hidden name, and gets the other one by the next Open.
TEST_F(FileTransportTest, TriesAgainToGiveAName) {
  auto transport = MakeOpen({});
  Send(*transport, {SomeMessage(100, 1)});
  {
    const ReadOnly read_only(directory_.path());
    EXPECT_THAT(TextOf(Close(*transport)), HasSubstr("cannot rename"));
    EXPECT_FALSE(Open(*transport).ok());
  }
  EXPECT_THAT(directory_.Names(), ElementsAre(".sockflow-20261121T101500Z.ipfix.part"));
  EXPECT_TRUE(Open(*transport).ok());
  EXPECT_THAT(TakeNotes(transport), ElementsAre(HasSubstr("nothing in it is lost")));
  EXPECT_EQ(ReadFile(directory_ / "sockflow-20261121T101500Z.ipfix"), SomeMessage(100, 1));
}

// A file system of `octets` at `path`, in a mount namespace that only this test's thread is in.
bool MountSmallDisk(const std::string& path, const std::string& octets) {
  return unshare(CLONE_NEWNS) == 0 &&
         mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("none", path.c_str(), "tmpfs", 0, ("size=" + octets).c_str()) == 0;
}

TEST_F(FileTransportTest, AFullFileSystem) {
  const std::string disk = directory_ / "disk";
  std::filesystem::create_directory(disk);
  if (!MountSmallDisk(disk, "2m")) GTEST_SKIP() << "needs root to mount a small file system";
  auto transport = MakeOpen({.path = disk});
  const std::vector<std::vector<uint8_t>> messages(40, SomeMessage(60'000, 1));
  const auto result = Send(*transport, messages);
  EXPECT_EQ(result.outcome, Outcome::kSessionOver);
  EXPECT_THAT(TextOf(result.status), HasSubstr("make room on the disk"));
  EXPECT_EQ(ReadFile(disk + "/sockflow-20261121T101500Z.ipfix"),
            Joined(messages, 0, result.accepted));
  EXPECT_GT(result.accepted, 20u);
  // Not again and again for what little is left.
  const absl::Status again = Open(*transport);
  EXPECT_TRUE(absl::IsResourceExhausted(again)) << again;
  EXPECT_THAT(TextOf(again), HasSubstr("no file is begun"));
  std::filesystem::remove(disk + "/sockflow-20261121T101500Z.ipfix");
  EXPECT_TRUE(Open(*transport).ok());
  umount(disk.c_str());
}

TEST(FileTransportMakeTest, RefusesWrongOptions) {
  const auto error = [](Options options) {
    return TextOf(FileTransport::Make(std::move(options)).status());
  };
  EXPECT_THAT(error({}), HasSubstr("has no path"));
  EXPECT_THAT(error({.path = "/tmp", .max_octets = 1000}), HasSubstr("at least 262144"));
  EXPECT_THAT(error({.path = "/tmp", .max_age = 1ms}), HasSubstr("at least 1s"));
  EXPECT_THAT(error({.path = "/tmp", .max_age = -1s}), HasSubstr("at least 1s"));
  EXPECT_EQ((*FileTransport::Make({.path = "/tmp"}))->name(), "file:/tmp");
}

}  // namespace
}  // namespace sockflow::transport
