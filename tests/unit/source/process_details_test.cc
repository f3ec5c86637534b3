// SPDX-License-Identifier: MIT
#include "source/ebpf/process_details.h"

#include <cstring>
#include <string>

#include "gtest/gtest.h"

namespace sockflow {
namespace {

using namespace std::string_literals;

process_description ADescription(uint32_t pid = 7) {
  process_description d;
  memset(&d, 'x', sizeof(d));  // the kernel does not clear what it does not fill
  d.mark = PROCESS_DESCRIPTION_MARK;
  d.key = {.start_time_ns = 1'000, .exec_id = 2, .cgroup_id = 3, .tgid = pid, .reserved = 0};
  d.executable_octets = d.cgroup_octets = d.command_line_octets = 0;
  d.flags = 0;
  return d;
}

template <size_t kRoom>
void Fill(char (&text)[kRoom], __u16& octets, const std::string& content) {
  ASSERT_LE(content.size(), kRoom);
  memcpy(text, content.data(), content.size());
  octets = static_cast<__u16>(content.size());
}

tcp_event_owner TheOwner(uint32_t pid = 7) {
  tcp_event_owner owner = {};
  owner.start_time_ns = 1'000;
  owner.exec_id = 2;
  owner.cgroup_id = 3;
  owner.tgid = pid;
  return owner;
}

ProcessDetail Decoded(const process_description& d) {
  ProcessDetails details;
  EXPECT_TRUE(details.Add(&d, sizeof(d)));
  const auto detail = details.Find(TheOwner());
  return detail == nullptr ? ProcessDetail{.executable = "none", .command_line = "", .cgroup_path = ""}
                           : *detail;
}

TEST(ProcessDetailsTest, PathsAreTurnedRound) {
  process_description d = ADescription();
  Fill(d.executable, d.executable_octets, "curl\0bin\0usr\0"s);
  Fill(d.cgroup, d.cgroup_octets, "ssh.service\0system.slice\0"s);
  Fill(d.command_line, d.command_line_octets, "curl\0-s\0http://a b/\0"s);
  const ProcessDetail detail = Decoded(d);
  EXPECT_EQ(detail.executable, "/usr/bin/curl");
  EXPECT_EQ(detail.cgroup_path, "/system.slice/ssh.service");
  EXPECT_EQ(detail.command_line, "curl -s http://a b/");
}

TEST(ProcessDetailsTest, AKernelThreadHasNoExecutableAndTheRootCgroupIsASlash) {
  const ProcessDetail detail = Decoded(ADescription());
  EXPECT_EQ(detail.executable, "");
  EXPECT_EQ(detail.cgroup_path, "/");
  EXPECT_EQ(detail.command_line, "");
}

TEST(ProcessDetailsTest, WhatIsCutOrDeletedSaysSo) {
  process_description d = ADescription();
  d.flags = PROCESS_EXECUTABLE_CUT | PROCESS_EXECUTABLE_DELETED | PROCESS_CGROUP_CUT |
            PROCESS_COMMAND_LINE_CUT;
  Fill(d.executable, d.executable_octets, "x\0deep\0"s);
  Fill(d.cgroup, d.cgroup_octets, "leaf\0"s);
  Fill(d.command_line, d.command_line_octets, "abc\0defg"s);
  const ProcessDetail detail = Decoded(d);
  EXPECT_EQ(detail.executable, ".../deep/x (deleted)");
  EXPECT_EQ(detail.cgroup_path, ".../leaf");
  EXPECT_EQ(detail.command_line, "abc d...");
}

TEST(ProcessDetailsTest, FullTextsAndHostileNames) {
  process_description d = ADescription();
  const std::string name = std::string(255, 'n') + '\0';
  Fill(d.executable, d.executable_octets, name + name + name + name);
  Fill(d.cgroup, d.cgroup_octets, "\n\xff\"\0a\\b\0"s);
  Fill(d.command_line, d.command_line_octets, std::string(sizeof(d.command_line), '\0'));
  const ProcessDetail detail = Decoded(d);
  EXPECT_EQ(detail.executable.size(), 4u * 256);
  EXPECT_EQ(detail.cgroup_path, "/a\\b/\n\xff\"");
  EXPECT_EQ(detail.command_line, "");
}

TEST(ProcessDetailsTest, OfTheProgramThatRanThen) {
  ProcessDetails details;
  process_description d = ADescription();
  Fill(d.executable, d.executable_octets, "first\0"s);
  ASSERT_TRUE(details.Add(&d, sizeof(d)));
  d.key.exec_id = 5;
  Fill(d.executable, d.executable_octets, "second\0"s);
  ASSERT_TRUE(details.Add(&d, sizeof(d)));
  tcp_event_owner owner = TheOwner();
  EXPECT_EQ(details.Find(owner)->executable, "/first");
  owner.exec_id = 5;
  EXPECT_EQ(details.Find(owner)->executable, "/second");
  for (const auto change : {+[](tcp_event_owner& o) { ++o.exec_id; },
                            +[](tcp_event_owner& o) { ++o.start_time_ns; },
                            +[](tcp_event_owner& o) { ++o.tgid; },
                            +[](tcp_event_owner& o) { ++o.cgroup_id; }}) {
    tcp_event_owner other = owner;
    change(other);
    EXPECT_EQ(details.Find(other), nullptr);
  }
}

TEST(ProcessDetailsTest, ToldAnewTheLastWordCounts) {
  ProcessDetails details;
  process_description d = ADescription();
  ASSERT_TRUE(details.Add(&d, sizeof(d)));
  const auto first = details.Find(TheOwner());
  Fill(d.executable, d.executable_octets, "again\0"s);
  ASSERT_TRUE(details.Add(&d, sizeof(d)));
  EXPECT_EQ(details.size(), 1u);
  EXPECT_EQ(details.Find(TheOwner())->executable, "/again");
  EXPECT_EQ(first->executable, "") << "sessions keep what they were given";
}

TEST(ProcessDetailsTest, TheLeastRecentlyUsedIsForgotten) {
  ProcessDetails details(/*capacity=*/3);
  for (uint32_t pid : {1, 2, 3}) {
    const process_description d = ADescription(pid);
    ASSERT_TRUE(details.Add(&d, sizeof(d)));
  }
  ASSERT_NE(details.Find(TheOwner(1)), nullptr);
  const process_description d = ADescription(4);
  ASSERT_TRUE(details.Add(&d, sizeof(d)));
  EXPECT_EQ(details.size(), 3u);
  EXPECT_EQ(details.Find(TheOwner(2)), nullptr);
  for (uint32_t pid : {1, 3, 4}) EXPECT_NE(details.Find(TheOwner(pid)), nullptr) << pid;
}

TEST(ProcessDetailsTest, WhatIsNoDescriptionIsRefused) {
  ProcessDetails details;
  const auto refused = [&](auto spoil, size_t octets = sizeof(process_description)) {
    process_description d = ADescription();
    Fill(d.executable, d.executable_octets, "a\0"s);
    Fill(d.cgroup, d.cgroup_octets, "b\0"s);
    spoil(d);
    return !details.Add(&d, octets);
  };
  const auto not_at_all = [](process_description&) {};
  EXPECT_TRUE(refused(not_at_all, sizeof(process_description) - 8));
  EXPECT_TRUE(refused(not_at_all, sizeof(tcp_event)));
  EXPECT_TRUE(refused(not_at_all, 0));
  EXPECT_TRUE(refused([](auto& d) { d.mark = 1; }));
  EXPECT_TRUE(refused([](auto& d) { d.executable_octets = sizeof(d.executable) + 1; }));
  EXPECT_TRUE(refused([](auto& d) { d.cgroup_octets = 65535; }));
  EXPECT_TRUE(refused([](auto& d) { d.command_line_octets = sizeof(d.command_line) + 1; }));
  EXPECT_TRUE(refused([](auto& d) { d.executable_octets = 1; })) << "no NUL";
  EXPECT_TRUE(refused([](auto& d) { d.cgroup_octets = 1; })) << "no NUL";
  EXPECT_EQ(details.size(), 0u);
  EXPECT_FALSE(refused(not_at_all));
}

}  // namespace
}  // namespace sockflow
