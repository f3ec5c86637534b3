// SPDX-License-Identifier: MIT
#include "enrich/process/user_names.h"

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/unit/temporary_directory.h"

namespace sockflow {
namespace {

namespace fs = std::filesystem;
using std::chrono::minutes;
using std::chrono::seconds;

// A directory server: knows some users, says no or nothing, answers when it is told to.
class Directory {
 public:
  // What is handed to the code under test may outlive this object.
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::map<uint32_t, absl::StatusOr<std::string>> users;
    std::vector<uint32_t> asked;
    bool hangs = false;
    std::atomic<int> in_call = 0;
  };

  UserLookup lookup() {
    return [state = state_](uint32_t uid) -> absl::StatusOr<std::string> {
      std::unique_lock lock(state->mutex);
      state->asked.push_back(uid);
      ++state->in_call;
      state->changed.notify_all();
      state->changed.wait(lock, [&state] { return !state->hangs; });
      --state->in_call;
      state->changed.notify_all();
      const auto user = state->users.find(uid);
      if (user == state->users.end()) return absl::NotFoundError("no such user");
      return user->second;
    };
  }

  void Add(uint32_t uid, absl::StatusOr<std::string> answer) {
    const std::lock_guard lock(state_->mutex);
    state_->users.insert_or_assign(uid, std::move(answer));
  }
  void Hang(bool hangs) {
    const std::lock_guard lock(state_->mutex);
    state_->hangs = hangs;
    state_->changed.notify_all();
  }
  void AwaitCalls(int in_call) {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return state_->in_call == in_call; });
  }
  size_t asked() {
    const std::lock_guard lock(state_->mutex);
    return state_->asked.size();
  }
  // Until nobody but this object has the state: the thread has ended.
  void AwaitRelease() {
    while (state_.use_count() > 1) std::this_thread::yield();
  }

 private:
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

class UserNamesTest : public ::testing::Test {
 protected:
  ~UserNamesTest() override { directory_.Hang(false); }

  UserNames Make(size_t capacity = 100) {
    return UserNames(root_.Write("passwd", "root:x:0:0:root:/root:/bin/sh\n"), directory_.lookup(), capacity);
  }
  // Asks until so many answers are there.
  static void AwaitAnswers(UserNames& names, uint64_t answers, UserNames::Clock::time_point now) {
    const auto got = [&names] { return names.stats().found + names.stats().not_found + names.stats().failed; };
    while (got() < answers) {
      names.NameOf(kPoke, now);
      std::this_thread::yield();
    }
  }

  static constexpr uint32_t kPoke = 0xfffffff0;
  TemporaryDirectory root_;
  Directory directory_;
  UserNames::Clock::time_point now_{};
};

TEST_F(UserNamesTest, FirstNameOfAUidAndNumbersForTheUnknown) {
  UserNames names(root_.Write("passwd", "root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\n"
                                        "# no line\nweb:x:33:33::/:/bin/sh\n"),
                  nullptr);
  EXPECT_EQ(names.NameOf(0), "root");
  EXPECT_EQ(names.NameOf(33), "web");
  EXPECT_EQ(names.NameOf(4711), "4711");
  EXPECT_EQ(names.NameOf(4294967295), "4294967295");
  EXPECT_EQ(names.stats().asked, 0u);
  EXPECT_EQ(names.stats().refused, 0u);
}

TEST_F(UserNamesTest, AChangedFileIsReadAgainButNotAllTheTime) {
  const std::string file = root_.Write("passwd", "root:x:0:0:root:/root:/bin/sh\n");
  UserNames names(file, nullptr);
  EXPECT_EQ(names.NameOf(1000, now_), "1000");
  std::ofstream(file, std::ios::app) << "ada:x:1000:1000::/:/bin/sh\n";
  fs::last_write_time(file, fs::file_time_type::clock::now() + seconds(5));
  EXPECT_EQ(names.NameOf(1000, now_ + std::chrono::milliseconds(999)), "1000");
  EXPECT_EQ(names.NameOf(1000, now_ + seconds(1)), "ada");
}

TEST_F(UserNamesTest, AMissingFileLeavesNumbers) {
  EXPECT_EQ(UserNames(root_ / "absent", nullptr).NameOf(7), "7");
}

TEST_F(UserNamesTest, ASlowDirectoryIsNotWaitedFor) {
  directory_.Add(1000, "ada");
  directory_.Hang(true);
  UserNames names = Make();
  EXPECT_EQ(names.NameOf(0, now_), "root") << "the file comes first";
  EXPECT_EQ(names.NameOf(1000, now_), "1000");
  directory_.AwaitCalls(1);
  EXPECT_EQ(names.NameOf(1000, now_), "1000");
  EXPECT_EQ(names.stats().asked, 1u);
  directory_.Hang(false);
  AwaitAnswers(names, 1, now_);
  EXPECT_EQ(names.NameOf(1000, now_), "ada");
  EXPECT_EQ(names.stats().found, 1u);
}

TEST_F(UserNamesTest, AnswersCountTenMinutesAndThenUntilThereIsANewOne) {
  directory_.Add(1000, "ada");
  UserNames names = Make();
  names.NameOf(1000, now_);
  AwaitAnswers(names, 2, now_);  // that for kPoke, too
  EXPECT_EQ(names.NameOf(1000, now_ + minutes(10) - seconds(1)), "ada");
  EXPECT_EQ(directory_.asked(), 2u);
  directory_.Add(1000, "eve");
  EXPECT_EQ(names.NameOf(1000, now_ + minutes(10)), "ada");
  while (names.NameOf(1000, now_ + minutes(10)) == "ada") std::this_thread::yield();
  EXPECT_EQ(names.NameOf(1000, now_ + minutes(10)), "eve");
}

TEST_F(UserNamesTest, ThatThereIsNoSuchUserCountsAMinute) {
  UserNames names = Make();
  EXPECT_EQ(names.NameOf(1000, now_), "1000");
  AwaitAnswers(names, 2, now_);
  EXPECT_EQ(names.stats().not_found, 2u);
  directory_.Add(1000, "ada");
  EXPECT_EQ(names.NameOf(1000, now_ + seconds(59)), "1000");
  EXPECT_EQ(directory_.asked(), 2u);
  while (names.NameOf(1000, now_ + minutes(1)) != "ada") std::this_thread::yield();
  EXPECT_EQ(directory_.asked(), 3u);
}

TEST_F(UserNamesTest, ANameIsKeptWhileTheDirectoryFails) {
  directory_.Add(1000, "ada");
  UserNames names = Make();
  names.NameOf(1000, now_);
  AwaitAnswers(names, 2, now_);
  directory_.Add(1000, absl::UnavailableError("no route to the server"));
  const auto later = now_ + minutes(10);
  EXPECT_EQ(names.NameOf(1000, later), "ada");
  while (names.stats().failed == 0) {
    EXPECT_EQ(names.NameOf(1000, later), "ada");
    std::this_thread::yield();
  }
  EXPECT_EQ(names.NameOf(1000, later), "ada");
  directory_.Add(1000, absl::NotFoundError("left the company"));
  while (names.NameOf(1000, later + minutes(1)) != "1000") std::this_thread::yield();
}

TEST_F(UserNamesTest, QuestionsThatWaitAreBounded) {
  directory_.Hang(true);
  UserNames names = Make(/*capacity=*/10'000);
  names.NameOf(1000, now_);
  directory_.AwaitCalls(1);
  for (uint32_t uid = 2000; uid < 3000; ++uid) EXPECT_EQ(names.NameOf(uid, now_), std::to_string(uid));
  EXPECT_EQ(names.stats().asked, 1u + 256u);
  EXPECT_EQ(names.stats().refused, 1000u - 256u);
  names.NameOf(2999, now_);
  EXPECT_EQ(names.stats().refused, 1000u - 256u) << "not asked again at once";
  directory_.Hang(false);
  AwaitAnswers(names, 257, now_);
  directory_.Add(2999, "ada");
  while (names.NameOf(2999, now_ + seconds(1)) != "ada") std::this_thread::yield();
}

TEST_F(UserNamesTest, WhatIsRememberedIsBounded) {
  directory_.Add(1000, "ada");
  UserNames names = Make(/*capacity=*/2);
  for (uint32_t uid = 1000; uid < 1100; ++uid) EXPECT_EQ(names.NameOf(uid, now_), std::to_string(uid));
  AwaitAnswers(names, 100, now_);
  while (names.NameOf(1000, now_) != "ada") std::this_thread::yield();
}

TEST_F(UserNamesTest, AHungDirectoryDoesNotHoldUpTheEnd) {
  directory_.Hang(true);
  {
    UserNames names = Make();
    names.NameOf(1000, now_);
    names.NameOf(1001, now_);
    directory_.AwaitCalls(1);
  }
  // Here it has ended; its thread has not.
  EXPECT_EQ(directory_.asked(), 1u);
  directory_.Hang(false);
  directory_.AwaitRelease();
  EXPECT_EQ(directory_.asked(), 1u) << "it asks no more";
}

TEST_F(UserNamesTest, EndsWithoutEverAskingAndBetweenQuestions) {
  { UserNames names = Make(); }
  directory_.AwaitRelease();
  {
    UserNames names = Make();
    names.NameOf(1000, now_);
    AwaitAnswers(names, 1, now_);
  }
  directory_.AwaitRelease();
}

TEST(SystemUserLookupTest, KnowsRootAndWhoIsNot) {
  const UserLookup lookup = SystemUserLookup();
  if (lookup == nullptr) GTEST_SKIP() << "a static program asks nobody";
  EXPECT_EQ(lookup(0).value_or("?"), "root");
  EXPECT_TRUE(absl::IsNotFound(lookup(4'000'000'001).status()));
}

}  // namespace
}  // namespace sockflow
