// SPDX-License-Identifier: MIT
#include "enrich/kubernetes/pod_parser.h"

#include <string>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sockflow::kubernetes {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// As an API server of 1.28 tells it, less what is of no account here.
constexpr std::string_view kPod = R"({
  "metadata": {
    "name": "web-6d4cf56db6-x7k2p", "generateName": "web-6d4cf56db6-", "namespace": "shop",
    "uid": "3f1c1c5e-0d64-4b5e-9c0a-6a6e0c7f2b11", "resourceVersion": "4711",
    "creationTimestamp": "2026-02-03T04:05:06Z",
    "labels": {"app": "web", "tier": "front", "pod-template-hash": "6d4cf56db6"},
    "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-6d4cf56db6",
                         "uid": "c0ffee00-0000-4000-8000-000000000000", "controller": true,
                         "blockOwnerDeletion": true}],
    "managedFields": [{"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:status": {}}}]},
  "spec": {"nodeName": "node-1", "containers": [{"name": "web", "image": "web:1"}]},
  "status": {
    "phase": "Running", "hostIP": "192.0.2.10", "podIP": "10.244.1.7",
    "podIPs": [{"ip": "10.244.1.7"}, {"ip": "fd00:10:244:1::7"}],
    "startTime": "2026-02-03T04:05:07Z",
    "initContainerStatuses": [{"name": "init", "state": {"terminated": {"exitCode": 0,
       "containerID": "containerd://1111"}}, "lastState": {}, "containerID": "containerd://1111"}],
    "containerStatuses": [{"name": "web", "state": {"running": {"startedAt": "2026-02-03T04:05:09Z"}},
       "lastState": {"terminated": {"exitCode": 1, "containerID": "containerd://2222"}},
       "containerID": "containerd://3333"}]}
})";

std::string ReplacedIn(std::string text, const std::string& what, const std::string& with) {
  const size_t at = text.find(what);
  EXPECT_NE(at, text.npos) << what;
  return at == text.npos ? text : text.replace(at, what.size(), with);
}

const std::vector<std::string> kLabels = {"tier", "absent", "app"};

std::vector<std::string> AddressesOf(const Pod& pod) {
  std::vector<std::string> texts;
  for (const IpAddress& address : pod.addresses) texts.push_back(address.ToString());
  return texts;
}

TEST(PodParserTest, AWholePod) {
  const std::optional<Pod> pod = ParsePod(kPod, kLabels);
  ASSERT_TRUE(pod);
  EXPECT_EQ(pod->uid, "3f1c1c5e-0d64-4b5e-9c0a-6a6e0c7f2b11");
  EXPECT_EQ(pod->static_uid, "");
  EXPECT_EQ(pod->facts->pod_name, "web-6d4cf56db6-x7k2p");
  EXPECT_EQ(pod->facts->pod_namespace, "shop");
  EXPECT_EQ(pod->facts->node_name, "node-1");
  EXPECT_EQ(pod->facts->workload, "Deployment/web");
  EXPECT_EQ(pod->facts->labels, "tier=front,app=web");
  EXPECT_THAT(AddressesOf(*pod), ElementsAre("10.244.1.7", "fd00:10:244:1::7"));
  EXPECT_THAT(pod->container_ids, ElementsAre("3333", "2222", "1111"));
  EXPECT_EQ(pod->started, Time(std::chrono::seconds(1770091507)));
  EXPECT_FALSE(pod->finished);
}

TEST(PodParserTest, OwnersAsPeopleNameThem) {
  const auto workload = [](const std::string& references, const std::string& hash = "6d4cf56db6") {
    std::string text = ReplacedIn(std::string(kPod), "\"pod-template-hash\": \"6d4cf56db6\"",
                                  "\"pod-template-hash\": \"" + hash + "\"");
    const size_t begin = text.find("[{\"apiVersion\"");
    text.replace(begin, text.find("}]", begin) + 2 - begin, references);
    const auto pod = ParsePod(text, {});
    EXPECT_TRUE(pod) << text;
    return pod ? pod->facts->workload : "";
  };
  const auto owner = [](const std::string& kind, const std::string& name, bool controller = true) {
    return fmt::format(R"({{"kind": "{}", "name": "{}", "controller": {}}})", kind, name, controller);
  };
  EXPECT_EQ(workload("[" + owner("StatefulSet", "db") + "]"), "StatefulSet/db");
  EXPECT_EQ(workload("[" + owner("DaemonSet", "agent") + "]"), "DaemonSet/agent");
  EXPECT_EQ(workload("[" + owner("Job", "backup-28123") + "]"), "Job/backup-28123");
  EXPECT_EQ(workload("[" + owner("Node", "node-1") + "]"), "Node/node-1");
  EXPECT_EQ(workload("[" + owner("ReplicaSet", "alone") + "]"), "ReplicaSet/alone");
  EXPECT_EQ(workload("[" + owner("ReplicaSet", "-6d4cf56db6") + "]"), "ReplicaSet/-6d4cf56db6");
  EXPECT_EQ(workload("[" + owner("ReplicaSet", "web-6d4cf56db6") + "]", ""), "ReplicaSet/web-6d4cf56db6");
  EXPECT_EQ(workload("[" + owner("Thing", "a", false) + "," + owner("Job", "b") + "]"), "Job/b");
  EXPECT_EQ(workload("[]"), "");
  EXPECT_EQ(workload("[1, {\"kind\": 3}, null]"), "");
  EXPECT_EQ(workload("\"x\""), "");
}

TEST(PodParserTest, AStaticPodIsOfItsNode) {
  const auto pod = ParsePod(R"({"metadata": {"uid": "u", "name": "etcd-node-1", "namespace": "kube-system",
      "annotations": {"kubernetes.io/config.source": "file",
                      "kubernetes.io/config.hash": "8f6a44fc62e8cb075753c843896568ca"}},
      "spec": {"nodeName": "node-1", "hostNetwork": true}})", {});
  ASSERT_TRUE(pod);
  EXPECT_EQ(pod->facts->workload, "Node/node-1");
  EXPECT_EQ(pod->static_uid, "8f6a44fc62e8cb075753c843896568ca");
}

TEST(PodParserTest, APodInTheHostsNetworkHasNoAddressOfItsOwn) {
  const auto pod = ParsePod(
      ReplacedIn(std::string(kPod), "\"nodeName\": \"node-1\"", "\"nodeName\": \"node-1\", \"hostNetwork\": true"), {});
  ASSERT_TRUE(pod);
  EXPECT_THAT(pod->addresses, IsEmpty());
}

TEST(PodParserTest, FinishedPods) {
  for (const char* phase : {"Succeeded", "Failed"}) {
    EXPECT_TRUE(ParsePod(ReplacedIn(std::string(kPod), "Running", phase), {})->finished);
  }
  for (const char* phase : {"Pending", "Unknown", ""}) {
    EXPECT_FALSE(ParsePod(ReplacedIn(std::string(kPod), "Running", phase), {})->finished);
  }
}

TEST(PodParserTest, WhatIsNoPodIsRefused) {
  for (const std::string text :
       {"", "{}", "null", "[]", "1", "{\"metadata\": []}", "{\"metadata\": {\"uid\": 1, \"name\": \"a\", \"namespace\": \"b\"}}",
        "{\"metadata\": {\"uid\": \"1\", \"name\": \"\", \"namespace\": \"b\"}}", "{\"metadata\": {\"uid\": \"\xff\"}}"}) {
    EXPECT_FALSE(ParsePod(text, {})) << text;
  }
  const std::string text(kPod);
  for (size_t length = 0; length < text.size(); ++length) {
    EXPECT_FALSE(ParsePod(std::string_view(text).substr(0, length), {})) << length;
  }
  EXPECT_FALSE(ParsePod(ReplacedIn(text, "\"shop\"", "\"" + std::string(254, 'a') + "\""), {}));
}

TEST(PodParserTest, MembersOfAnotherTypeAreAsIfTheyWereNotThere) {
  const auto pod = ParsePod(R"({"metadata": {"uid": "u", "name": "n", "namespace": "s", "labels": ["app"],
      "ownerReferences": {"kind": "Job"}, "annotations": 7},
      "spec": {"nodeName": ["x"], "hostNetwork": "yes"},
      "status": {"phase": 1, "podIP": {"ip": 1}, "podIPs": ["10.0.0.1", {"ip": "10.0.0"}, {"ip": "10.0.0.2"}],
                 "startTime": "2026-13-03T04:05:07Z",
                 "containerStatuses": [null, {"containerID": "no scheme"}, {"containerID": "x://"},
                                       {"containerID": 5, "state": [], "lastState": {"terminated": []}}]}})",
                            kLabels);
  ASSERT_TRUE(pod);
  EXPECT_EQ(pod->facts->labels, "");
  EXPECT_EQ(pod->facts->workload, "");
  EXPECT_EQ(pod->facts->node_name, "");
  EXPECT_THAT(AddressesOf(*pod), ElementsAre("10.0.0.2"));
  EXPECT_THAT(pod->container_ids, IsEmpty());
  EXPECT_EQ(pod->started, Time());
}

TEST(PodParserTest, HeadsOfLists) {
  const auto head = ParseListHead(
      R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"12","continue":"eyJ2"},"items":[]})");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->resource_version, "12");
  EXPECT_EQ(head->continue_token, "eyJ2");
  EXPECT_EQ(ParseListHead(R"({"kind":"PodList","metadata":{}})")->continue_token, "");
  EXPECT_FALSE(ParseListHead(R"({"kind":"Status","metadata":{}})"));
  EXPECT_FALSE(ParseListHead("{"));
}

TEST(PodParserTest, EventsOfAWatch) {
  using Kind = WatchEvent::Kind;
  const auto event = [](const std::string& type, std::string_view object) {
    return ParseWatchEvent(fmt::format(R"({{"type":"{}","object":{}}})", type, object), kLabels);
  };
  EXPECT_EQ(event("ADDED", kPod)->kind, Kind::kPut);
  EXPECT_EQ(event("ADDED", kPod)->resource_version, "4711");
  EXPECT_EQ(event("ADDED", kPod)->pod->facts->pod_namespace, "shop");
  EXPECT_EQ(event("MODIFIED", kPod)->kind, Kind::kPut);
  EXPECT_EQ(event("DELETED", kPod)->kind, Kind::kDeleted);
  EXPECT_FALSE(event("ADDED", "{}"));
  EXPECT_FALSE(event("SURPRISE", kPod));
  EXPECT_FALSE(ParseWatchEvent("{\"type\":\"ADDED\"}", {}));

  const auto bookmark =
      event("BOOKMARK", R"({"kind":"Pod","metadata":{"resourceVersion":"99","creationTimestamp":null}})");
  ASSERT_TRUE(bookmark);
  EXPECT_EQ(bookmark->kind, Kind::kBookmark);
  EXPECT_EQ(bookmark->resource_version, "99");

  const auto gone = event("ERROR", R"json({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",
      "message":"too old resource version: 1 (4711)","reason":"Expired","code":410})json");
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->kind, Kind::kError);
  EXPECT_EQ(gone->error_code, 410);
  EXPECT_EQ(gone->error, "too old resource version: 1 (4711)");
  EXPECT_EQ(event("ERROR", "{\"code\":-1}")->error_code, 0);
}

TEST(PodParserTest, MessagesOfErrorsAreCut) {
  EXPECT_EQ(ParseErrorMessage(R"({"kind":"Status","message":"pods is forbidden"})"), "pods is forbidden");
  EXPECT_EQ(ParseErrorMessage("<html>"), "");
  EXPECT_EQ(ParseErrorMessage("{\"message\":\"" + std::string(5000, 'x') + "\"}").size(), 300u);
}

}  // namespace
}  // namespace sockflow::kubernetes
