// SPDX-License-Identifier: MIT
// Who runs, and who listens.

#include <map>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "source/pcap/owners/listener_table.h"
#include "source/pcap/owners/process_table.h"

namespace sockflow::pcap {
namespace {

Time At(int ms) { return Time(std::chrono::seconds(1'000) + std::chrono::milliseconds(ms)); }

class ProcessTableTest : public ::testing::Test {
 protected:
  void HostHas(uint32_t pid, const char* name, uint32_t parent = 1, uint64_t start = 5, uint32_t uid = 0) {
    host_[pid] = {.process = {.pid = pid, .parent_pid = parent, .uid = uid, .start_time = start, .name = TaskName(name)},
                  .started = At(static_cast<int>(start))};
  }
  std::string Name(uint32_t pid, int at) {
    const auto facts = table_.Describe(pid, pid, At(at));
    return facts ? std::string(facts->process.name.view()) : "-";
  }

  std::map<uint32_t, ProcessFacts> host_;
  int asked_ = 0;
  ProcessTable table_{[this](uint32_t pid) -> std::optional<ProcessFacts> {
                        ++asked_;
                        const auto found = host_.find(pid);
                        if (found == host_.end()) return std::nullopt;
                        return found->second;
                      },
                      [](uint32_t, uint32_t) -> std::optional<TaskName> { return TaskName("thread"); }};
};

TEST_F(ProcessTableTest, GoneBeforeItWasAskedFor) {
  HostHas(10, "shell");
  table_.Start({.pid = 20, .thread_id = 20, .parent_pid = 10, .parent_thread_id = 10}, At(10));
  table_.Rename({.pid = 20, .thread_id = 20, .exec = true, .name = TaskName("curl")});
  const auto facts = table_.Describe(20, 20, At(11));
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->process.name.view(), "curl");
  EXPECT_EQ(facts->process.parent_pid, 10);
  EXPECT_EQ(facts->process.parent_name.view(), "shell");
  EXPECT_EQ(facts->process.uid, kNoUid);
  EXPECT_EQ(table_.Begun(20), At(10));
}

TEST_F(ProcessTableTest, NameIsTheOneAtTheTime) {
  HostHas(10, "shell");
  table_.Start({.pid = 20, .thread_id = 20, .parent_pid = 10, .parent_thread_id = 10}, At(10));
  HostHas(20, "later", 10, 10, 7);  // it has called exec() since, which was not told yet
  EXPECT_EQ(Name(20, 11), "shell");
  EXPECT_EQ(table_.Describe(20, 20, At(11))->process.uid, 7);
  table_.Rename({.pid = 20, .thread_id = 20, .exec = true, .name = TaskName("later")});
  EXPECT_EQ(Name(20, 12), "later");
  // A thread's name is not the process's.
  table_.Rename({.pid = 20, .thread_id = 21, .name = TaskName("worker")});
  EXPECT_EQ(Name(20, 13), "later");
}

TEST_F(ProcessTableTest, HostIsAskedOnceInAWhile) {
  HostHas(10, "shell", 0);
  Name(10, 10);
  Name(10, 11);
  EXPECT_EQ(asked_, 1);
  HostHas(10, "shell", 0, 5, 33);
  EXPECT_EQ(table_.Describe(10, 10, At(2'000))->process.uid, 33);
}

TEST_F(ProcessTableTest, PidIsUsedAgain) {
  HostHas(10, "shell", 0);
  HostHas(20, "first", 10, 8);
  EXPECT_EQ(Name(20, 9), "first");
  // Told:
  table_.End({.pid = 20, .thread_id = 20}, At(10));
  table_.Start({.pid = 20, .thread_id = 20, .parent_pid = 10, .parent_thread_id = 10}, At(11));
  EXPECT_EQ(Name(20, 12), "shell");
  // Not told: seen as it is asked for again.
  HostHas(20, "third", 10, 3'000);
  EXPECT_EQ(Name(20, 5'000), "third");
}

TEST_F(ProcessTableTest, RecordIsOlderThanTheProcessWithItsPid) {
  HostHas(20, "second", 0, 100);
  EXPECT_EQ(Name(20, 50), "-");
  EXPECT_EQ(Name(20, 150), "second");
}

TEST_F(ProcessTableTest, ConfirmForgetsAnother) {
  HostHas(20, "first", 0);
  Name(20, 10);
  table_.Confirm(host_[20].process);
  Name(20, 11);
  EXPECT_EQ(asked_, 1);
  HostHas(20, "second", 0);
  table_.Confirm(host_[20].process);
  EXPECT_EQ(Name(20, 12), "second");
}

TEST_F(ProcessTableTest, ThreadsAndFamilies) {
  HostHas(10, "shell", 0);
  HostHas(20, "leader", 10);
  const auto facts = table_.Describe(20, 23, At(10));
  EXPECT_EQ(facts->process.name.view(), "leader");
  EXPECT_EQ(facts->process.thread_name.view(), "thread");
  table_.Start({.pid = 30, .thread_id = 30, .parent_pid = 20, .parent_thread_id = 23}, At(11));
  EXPECT_EQ(Name(30, 11), "thread");
  EXPECT_TRUE(table_.DescendsFrom(30, 10));
  EXPECT_FALSE(table_.DescendsFrom(10, 30));
}

TEST_F(ProcessTableTest, IsBounded) {
  ProcessTable small([](uint32_t) { return std::nullopt; }, [](uint32_t, uint32_t) { return std::nullopt; }, 10);
  for (uint32_t pid = 1; pid < 100; ++pid) {
    small.Start({.pid = pid, .thread_id = pid, .parent_pid = 999, .parent_thread_id = 999}, At(1));
  }
  EXPECT_LE(small.size(), 10);
}

using Certainty = ListenerTable::Certainty;

class ListenerTableTest : public ::testing::Test {
 protected:
  static ListeningSocket Socket(const char* address, uint32_t inode, std::vector<uint32_t> holders) {
    return {.local = {*IpAddress::Parse(address), 80}, .inode = inode, .holders = std::move(holders)};
  }
  ListenerTable::Acceptors Who(const char* address) {
    return table_.WhoAccepts({*IpAddress::Parse(address), 80}, [this](uint32_t pid, uint32_t inode) {
      return !closed_.contains({pid, inode});
    });
  }

  ListenerTable table_;
  std::set<std::pair<uint32_t, uint32_t>> closed_;
};

TEST_F(ListenerTableTest, OneProcess) {
  EXPECT_EQ(Who("192.0.2.1").certainty, Certainty::kNobody);
  table_.Listen(Socket("0.0.0.0", 1, {7}));
  EXPECT_EQ(Who("192.0.2.1").pid, 7);
  EXPECT_EQ(Who("2001:db8::1").certainty, Certainty::kNobody);
}

TEST_F(ListenerTableTest, WildcardsOfBothFamilies) {
  table_.Listen(Socket("::", 1, {7}));
  EXPECT_EQ(Who("192.0.2.1").pid, 7);
  EXPECT_EQ(Who("2001:db8::1").pid, 7);
  ListenerTable other;
  ListeningSocket only_v6 = Socket("::", 2, {8});
  only_v6.only_v6 = true;
  other.Listen(only_v6);
  EXPECT_EQ(other.WhoAccepts({*IpAddress::Parse("192.0.2.1"), 80}, [](uint32_t, uint32_t) { return true; }).certainty,
            Certainty::kNobody);
}

TEST_F(ListenerTableTest, ExactAddressBeforeWildcard) {
  table_.Listen(Socket("0.0.0.0", 1, {7}));
  table_.Listen(Socket("192.0.2.1", 2, {8}));
  EXPECT_EQ(Who("192.0.2.1").pid, 8);
  EXPECT_EQ(Who("192.0.2.2").pid, 7);
  // A socket that is bound to an interface may come before both.
  ListeningSocket bound = Socket("0.0.0.0", 3, {9});
  bound.bound_to_interface = true;
  table_.Listen(bound);
  EXPECT_EQ(Who("192.0.2.1").certainty, Certainty::kSeveral);
}

TEST_F(ListenerTableTest, ForkedChildrenMayAccept) {
  table_.Listen(Socket("0.0.0.0", 1, {7}));
  table_.Fork(7, 8);
  EXPECT_EQ(Who("192.0.2.1").certainty, Certainty::kSeveral);
  table_.Exit(7);
  EXPECT_EQ(Who("192.0.2.1").pid, 8);
  // A child that has closed it may not.
  table_.Fork(8, 9);
  closed_.insert({9, 1});
  EXPECT_EQ(Who("192.0.2.1").pid, 8);
  table_.Exit(8);
  EXPECT_EQ(Who("192.0.2.1").certainty, Certainty::kUnseen);
}

TEST_F(ListenerTableTest, SharedPort) {
  table_.Listen(Socket("0.0.0.0", 1, {7}));
  table_.Listen(Socket("0.0.0.0", 2, {8}));
  EXPECT_EQ(Who("192.0.2.1").certainty, Certainty::kSeveral);
  const auto yes = [](uint32_t, uint32_t) { return true; };
  EXPECT_TRUE(table_.MayAccept(7, {*IpAddress::Parse("192.0.2.1"), 80}, yes));
  EXPECT_FALSE(table_.MayAccept(7, {*IpAddress::Parse("192.0.2.1"), 81}, yes));
}

TEST_F(ListenerTableTest, ChangesWhileAListIsMade) {
  table_.BeginList();
  ListeningSocket told = Socket("0.0.0.0", 0, {7});
  told.kernel_address = 0xa;
  table_.Listen(told);
  table_.Fork(5, 6);
  table_.Exit(4);
  table_.Replace({Socket("192.0.2.9", 2, {5}), Socket("192.0.2.8", 3, {4})});
  EXPECT_EQ(Who("192.0.2.1").pid, 7);
  EXPECT_EQ(Who("192.0.2.9").certainty, Certainty::kSeveral);
  EXPECT_EQ(Who("192.0.2.8").certainty, Certainty::kUnseen);
  table_.Close(0xa, told.local);
  EXPECT_EQ(Who("192.0.2.1").certainty, Certainty::kNobody);
}

TEST_F(ListenerTableTest, EndOfAnOlderListener) {
  table_.BeginList();
  table_.Replace({Socket("0.0.0.0", 1, {7})});
  table_.Close(0xa, {*IpAddress::Parse("0.0.0.0"), 80});
  EXPECT_EQ(table_.size(), 0);
}

}  // namespace
}  // namespace sockflow::pcap
