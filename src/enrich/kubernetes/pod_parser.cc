// SPDX-License-Identifier: MIT
#include "enrich/kubernetes/pod_parser.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <utility>

namespace sockflow::kubernetes {
namespace {

using Json = nlohmann::json;

// The API's own limits: names of objects are DNS subdomains (RFC 1123), values of labels have 63 octets.
constexpr size_t kLongestName = 253;
constexpr size_t kLongestLabel = 63;
constexpr size_t kLongestUid = 128;
constexpr size_t kLongestContainerId = 128;
constexpr size_t kLongestVersion = 128;
constexpr size_t kLongestToken = 64 << 10;  // of continue: opaque
constexpr size_t kLongestMessage = 300;
// Containers in a pod are few, and each is listed up to three times.
constexpr size_t kMostContainerIds = 256;
constexpr size_t kMostAddresses = 16;

Json Parse(std::string_view text) {
  return Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
}

// The member at the end of a path; null: there is none.
const Json* At(const Json& root, std::initializer_list<const char*> path) {
  const Json* at = &root;
  for (const char* key : path) {
    if (!at->is_object()) return nullptr;
    const auto found = at->find(key);
    if (found == at->end()) return nullptr;
    at = &*found;
  }
  return at;
}

// Empty: there is no such text, or it is too long to be one.
std::string Text(const Json& root, std::initializer_list<const char*> path, size_t longest) {
  const Json* at = At(root, path);
  if (at == nullptr || !at->is_string()) return {};
  const auto& text = at->get_ref<const std::string&>();
  return text.size() <= longest ? text : std::string();
}

bool Flag(const Json& root, std::initializer_list<const char*> path) {
  const Json* at = At(root, path);
  return at != nullptr && at->is_boolean() && at->get<bool>();
}

const Json& ArrayAt(const Json& root, std::initializer_list<const char*> path) {
  static const Json kNone = Json::array();
  const Json* at = At(root, path);
  return at != nullptr && at->is_array() ? *at : kNone;
}

// "2026-02-03T04:05:06Z", the one form that the API writes (RFC 3339); 0 for anything else.
Time ParseTime(const std::string& text) {
  int year, month, day, hour, minute, second, length = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &year, &month, &day, &hour, &minute, &second,
                  &length) != 6 ||
      length != 20 || text.size() != 20) {
    return {};
  }
  const auto date = std::chrono::year(year) / month / day;
  if (!date.ok() || year > 2200) return {};
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

// Whose controller made the pod, as people name it. A Deployment makes its pods through a ReplicaSet that
// is named after both, and the pod tells the hash of that.
std::string WorkloadOf(const Json& pod, const std::string& node) {
  const Json* owner = nullptr;
  for (const Json& reference : ArrayAt(pod, {"metadata", "ownerReferences"})) {
    if (owner == nullptr || Flag(reference, {"controller"})) owner = &reference;
    if (Flag(reference, {"controller"})) break;
  }
  if (owner == nullptr) {
    // As the kubelet tells of those that it read from a file itself.
    const std::string source =
        Text(pod, {"metadata", "annotations", "kubernetes.io/config.source"}, kLongestName);
    return source == "file" || source == "http" ? "Node/" + node : std::string();
  }
  std::string kind = Text(*owner, {"kind"}, kLongestName);
  std::string name = Text(*owner, {"name"}, kLongestName);
  if (kind.empty() || name.empty()) return {};
  const std::string hash = Text(pod, {"metadata", "labels", "pod-template-hash"}, kLongestLabel);
  if (kind == "ReplicaSet" && !hash.empty() && name.size() > hash.size() + 1 && name.ends_with("-" + hash)) {
    kind = "Deployment";
    name.resize(name.size() - hash.size() - 1);
  }
  return kind + "/" + name;
}

std::string LabelsOf(const Json& pod, std::span<const std::string> wanted) {
  std::string labels;
  for (const std::string& key : wanted) {
    const Json* value = At(pod, {"metadata", "labels", key.c_str()});
    if (value == nullptr || !value->is_string()) continue;
    const auto& text = value->get_ref<const std::string&>();
    if (text.size() > kLongestLabel) continue;
    labels += (labels.empty() ? "" : ",") + key + "=" + text;
  }
  return labels;
}

// "containerd://4f53cda1..." -> "4f53cda1...".
void AddContainerId(const std::string& id, std::vector<std::string>& ids) {
  const size_t scheme = id.find("://");
  if (scheme == id.npos || ids.size() >= kMostContainerIds) return;
  std::string own = id.substr(scheme + 3);
  if (!own.empty() && std::find(ids.begin(), ids.end(), own) == ids.end()) ids.push_back(std::move(own));
}

std::vector<std::string> ContainerIdsOf(const Json& pod) {
  std::vector<std::string> ids;
  for (const char* list : {"containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"}) {
    for (const Json& status : ArrayAt(pod, {"status", list})) {
      AddContainerId(Text(status, {"containerID"}, kLongestContainerId), ids);
      AddContainerId(Text(status, {"state", "terminated", "containerID"}, kLongestContainerId), ids);
      AddContainerId(Text(status, {"lastState", "terminated", "containerID"}, kLongestContainerId), ids);
    }
  }
  return ids;
}

void AddAddress(const std::string& text, std::vector<IpAddress>& addresses) {
  const auto address = IpAddress::Parse(text);
  if (!address || addresses.size() >= kMostAddresses) return;
  if (std::find(addresses.begin(), addresses.end(), *address) == addresses.end()) {
    addresses.push_back(*address);
  }
}

std::vector<IpAddress> AddressesOf(const Json& pod) {
  std::vector<IpAddress> addresses;
  // Its address is the node's, and every such pod's.
  if (Flag(pod, {"spec", "hostNetwork"})) return addresses;
  AddAddress(Text(pod, {"status", "podIP"}, kLongestName), addresses);
  for (const Json& entry : ArrayAt(pod, {"status", "podIPs"})) {
    AddAddress(Text(entry, {"ip"}, kLongestName), addresses);
  }
  return addresses;
}

std::optional<Pod> PodOf(const Json& json, std::span<const std::string> labels) {
  Pod pod;
  PodFacts facts;
  pod.uid = Text(json, {"metadata", "uid"}, kLongestUid);
  facts.pod_name = Text(json, {"metadata", "name"}, kLongestName);
  facts.pod_namespace = Text(json, {"metadata", "namespace"}, kLongestName);
  if (pod.uid.empty() || facts.pod_name.empty() || facts.pod_namespace.empty()) return std::nullopt;
  facts.node_name = Text(json, {"spec", "nodeName"}, kLongestName);
  facts.workload = WorkloadOf(json, facts.node_name);
  facts.labels = LabelsOf(json, labels);
  pod.static_uid = Text(json, {"metadata", "annotations", "kubernetes.io/config.hash"}, kLongestUid);
  pod.addresses = AddressesOf(json);
  pod.container_ids = ContainerIdsOf(json);
  pod.started = ParseTime(Text(json, {"status", "startTime"}, kLongestName));
  const std::string phase = Text(json, {"status", "phase"}, kLongestName);
  pod.finished = phase == "Succeeded" || phase == "Failed";
  pod.facts = std::make_shared<const PodFacts>(std::move(facts));
  return pod;
}

std::string MessageOf(const Json& status) {
  const Json* message = At(status, {"message"});
  if (message == nullptr || !message->is_string()) return {};
  return message->get_ref<const std::string&>().substr(0, kLongestMessage);
}

}  // namespace

std::optional<Pod> ParsePod(std::string_view json, std::span<const std::string> labels) {
  return PodOf(Parse(json), labels);
}

std::optional<ListHead> ParseListHead(std::string_view json) {
  const Json list = Parse(json);
  if (Text(list, {"kind"}, kLongestName) != "PodList") return std::nullopt;
  return ListHead{.resource_version = Text(list, {"metadata", "resourceVersion"}, kLongestVersion),
                  .continue_token = Text(list, {"metadata", "continue"}, kLongestToken)};
}

std::optional<WatchEvent> ParseWatchEvent(std::string_view json, std::span<const std::string> labels) {
  using Kind = WatchEvent::Kind;
  static constexpr std::array<std::pair<std::string_view, Kind>, 5> kKinds = {{{"ADDED", Kind::kPut},
                                                                               {"MODIFIED", Kind::kPut},
                                                                               {"DELETED", Kind::kDeleted},
                                                                               {"BOOKMARK", Kind::kBookmark},
                                                                               {"ERROR", Kind::kError}}};
  const Json event = Parse(json);
  const std::string type = Text(event, {"type"}, kLongestName);
  const auto kind =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& k) { return k.first == type; });
  const Json* object = At(event, {"object"});
  if (kind == kKinds.end() || object == nullptr) return std::nullopt;
  WatchEvent result{.kind = kind->second, .pod = {}, .resource_version = {}, .error = {}};
  if (result.kind == Kind::kError) {
    const Json* code = At(*object, {"code"});
    if (code != nullptr && code->is_number_unsigned()) result.error_code = code->get<uint16_t>();
    result.error = MessageOf(*object);
    return result;
  }
  result.resource_version = Text(*object, {"metadata", "resourceVersion"}, kLongestVersion);
  if (result.kind == Kind::kBookmark) return result;
  result.pod = PodOf(*object, labels);
  if (!result.pod) return std::nullopt;
  return result;
}

std::string ParseErrorMessage(std::string_view json) { return MessageOf(Parse(json)); }

}  // namespace sockflow::kubernetes
