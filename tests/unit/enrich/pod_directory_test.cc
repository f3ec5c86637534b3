// SPDX-License-Identifier: MIT
#include "enrich/kubernetes/pod_directory.h"

#include <memory>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"

namespace sockflow::kubernetes {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Moment = PodTable::Moment;

constexpr Time kLater = Time(std::chrono::hours(1'000'000));

struct Spec {
  std::string uid;
  std::vector<std::string> addresses = {};
  std::vector<std::string> containers = {};
  Time started{};
  bool finished = false;
};

Pod Make(const Spec& spec) {
  Pod pod{.uid = spec.uid,
          .static_uid = {},
          .facts = std::make_shared<PodFacts>(PodFacts{.pod_namespace = "default",
                                                       .pod_name = "name-" + spec.uid,
                                                       .node_name = {},
                                                       .workload = {},
                                                       .labels = {}}),
          .addresses = {},
          .container_ids = spec.containers,
          .started = spec.started,
          .finished = spec.finished};
  for (const std::string& address : spec.addresses) pod.addresses.push_back(*IpAddress::Parse(address));
  return pod;
}

std::string NameOf(const std::shared_ptr<const PodFacts>& facts) { return facts ? facts->pod_name : "-"; }

class PodTableTest : public ::testing::Test {
 protected:
  std::string ByUid(const std::string& uid) { return NameOf(table_.MakeDirectory()->FindByUid(uid)); }
  std::string ByContainer(const std::string& id) {
    return NameOf(table_.MakeDirectory()->FindByContainer(id));
  }
  std::string ByAddress(const std::string& address, Time at = kLater) {
    return NameOf(table_.MakeDirectory()->FindByAddress(*IpAddress::Parse(address), at));
  }

  PodTable table_{PodTable::Options{.max_pods = 10, .linger = minutes(5)}};
  Moment now_{};
};

TEST_F(PodTableTest, FindsByUidContainerAndEachAddress) {
  table_.Put(Make({.uid = "aa-bb", .addresses = {"10.0.0.1", "2001:db8::1"}, .containers = {"c1", "c2"}}), now_);
  EXPECT_EQ(ByUid("aa-bb"), "name-aa-bb");
  EXPECT_EQ(ByUid("aabb"), "name-aa-bb");
  EXPECT_EQ(ByUid("aabc"), "-");
  EXPECT_EQ(ByContainer("c1"), "name-aa-bb");
  EXPECT_EQ(ByContainer("c2"), "name-aa-bb");
  EXPECT_EQ(ByContainer("c"), "-");
  EXPECT_EQ(ByAddress("10.0.0.1"), "name-aa-bb");
  EXPECT_EQ(ByAddress("2001:db8::1"), "name-aa-bb");
  EXPECT_EQ(ByAddress("10.0.0.2"), "-");
}

TEST_F(PodTableTest, AStaticPodHasTwoUids) {
  Pod pod = Make({.uid = "11-22"});
  pod.static_uid = "8f6a44fc62e8cb075753c843896568ca";
  table_.Put(std::move(pod), now_);
  EXPECT_EQ(ByUid("8f6a44fc62e8cb075753c843896568ca"), "name-11-22");
  EXPECT_EQ(ByUid("8f6a44fc-62e8-cb07-5753-c843896568ca"), "name-11-22");
  EXPECT_EQ(ByUid("11-22"), "name-11-22");
}

TEST_F(PodTableTest, WhatAPodGetsLaterIsFound) {
  table_.Put(Make({.uid = "1"}), now_);
  EXPECT_EQ(ByAddress("10.0.0.1"), "-");
  table_.Put(Make({.uid = "1", .addresses = {"10.0.0.1"}, .containers = {"c"}}), now_);
  EXPECT_EQ(ByAddress("10.0.0.1"), "name-1");
  EXPECT_EQ(ByContainer("c"), "name-1");
}

TEST_F(PodTableTest, AnAddressBelongsToWhomItPassedTo) {
  table_.Put(Make({.uid = "1", .addresses = {"10.0.0.1"}}), now_);
  table_.Put(Make({.uid = "2", .addresses = {"10.0.0.1"}}), now_);
  EXPECT_EQ(ByAddress("10.0.0.1"), "name-2") << "before the end of the old one was told";
  table_.Put(Make({.uid = "1", .addresses = {"10.0.0.1"}}), now_);
  EXPECT_EQ(ByAddress("10.0.0.1"), "name-2") << "news of the old one do not bring it back";
  table_.Delete(Make({.uid = "1", .addresses = {"10.0.0.1"}}), now_);
  EXPECT_EQ(ByAddress("10.0.0.1"), "name-2");
  EXPECT_EQ(ByUid("1"), "name-1") << "its own sessions may end yet";
  table_.Delete(Make({.uid = "2", .addresses = {"10.0.0.1"}}), now_);
  EXPECT_EQ(ByAddress("10.0.0.1"), "name-2") << "of two that are gone the last one";
}

TEST_F(PodTableTest, AFinishedPodGivesItsAddressAway) {
  table_.Put(Make({.uid = "1", .addresses = {"10.0.0.1"}}), now_);
  table_.Put(Make({.uid = "2", .addresses = {"10.0.0.2"}}), now_);
  // The one that got the address later is over, the earlier one is not.
  table_.Put(Make({.uid = "2", .addresses = {"10.0.0.1"}, .finished = true}), now_);
  EXPECT_EQ(ByAddress("10.0.0.1"), "name-1");
}

TEST_F(PodTableTest, APodThatStartedAfterTheSessionIsNotItsPod) {
  const Time started(seconds(1'000));
  table_.Put(Make({.uid = "1", .addresses = {"10.0.0.1"}, .started = started}), now_);
  EXPECT_EQ(ByAddress("10.0.0.1", started - seconds(1)), "-");
  EXPECT_EQ(ByAddress("10.0.0.1", started), "name-1");
}

TEST_F(PodTableTest, GonePodsStayForAWhile) {
  table_.Put(Make({.uid = "1", .addresses = {"10.0.0.1"}, .containers = {"c"}}), now_);
  // The last word on a pod may lack what it had.
  table_.Delete(Make({.uid = "1"}), now_);
  table_.Expire(now_ + minutes(5) - seconds(1));
  EXPECT_EQ(ByUid("1"), "name-1");
  EXPECT_EQ(ByAddress("10.0.0.1"), "name-1");
  EXPECT_EQ(ByContainer("c"), "name-1");
  table_.Expire(now_ + minutes(5));
  EXPECT_EQ(ByUid("1"), "-");
  EXPECT_EQ(ByAddress("10.0.0.1"), "-");
  EXPECT_EQ(table_.size(), 0u);
}

TEST_F(PodTableTest, AListTellsWhoIsGoneAndWhoIsBack) {
  table_.Put(Make({.uid = "1"}), now_);
  table_.Put(Make({.uid = "2"}), now_);
  std::vector<Pod> pods;
  pods.push_back(Make({.uid = "2"}));
  pods.push_back(Make({.uid = "3"}));
  table_.Replace(std::move(pods), now_);
  EXPECT_EQ(table_.size(), 3u);
  std::vector<Pod> again;
  again.push_back(Make({.uid = "1"}));
  table_.Replace(std::move(again), now_ + minutes(4));
  table_.Expire(now_ + minutes(8));
  EXPECT_EQ(ByUid("1"), "name-1");
  EXPECT_EQ(ByUid("2"), "name-2");
  table_.Expire(now_ + minutes(9));
  EXPECT_EQ(ByUid("2"), "-");
  EXPECT_EQ(ByUid("1"), "name-1");
}

TEST_F(PodTableTest, IsBoundedAndForgetsTheGoneFirst) {
  for (int i = 0; i < 10; ++i) table_.Put(Make({.uid = fmt::format("{}", i)}), now_);
  table_.Put(Make({.uid = "new"}), now_);
  EXPECT_EQ(table_.size(), 10u);
  EXPECT_EQ(ByUid("new"), "-");
  EXPECT_EQ(table_.TakeLeftOut(), 1u);
  table_.Delete(Make({.uid = "4"}), now_);
  table_.Put(Make({.uid = "new"}), now_);
  EXPECT_EQ(ByUid("new"), "name-new");
  EXPECT_EQ(ByUid("4"), "-");
  EXPECT_EQ(table_.TakeLeftOut(), 0u);
  // An old one is always welcome.
  table_.Put(Make({.uid = "5", .addresses = {"10.0.0.5"}}), now_);
  EXPECT_EQ(ByAddress("10.0.0.5"), "name-5");
}

TEST_F(PodTableTest, ADirectoryStaysAsItWasMade) {
  table_.Put(Make({.uid = "1", .addresses = {"10.0.0.1"}, .containers = {"same"}}), now_);
  table_.Put(Make({.uid = "2", .containers = {"same"}}), now_);
  const auto directory = table_.MakeDirectory();
  table_.Delete(Make({.uid = "1"}), now_);
  table_.Delete(Make({.uid = "2"}), now_);
  table_.Expire(now_ + minutes(6));
  EXPECT_EQ(table_.size(), 0u);
  EXPECT_EQ(NameOf(directory->FindByUid("1")), "name-1");
  EXPECT_NE(NameOf(directory->FindByContainer("same")), "-");
  EXPECT_EQ(directory->size(), 2u);
}

}  // namespace
}  // namespace sockflow::kubernetes
