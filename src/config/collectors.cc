// SPDX-License-Identifier: MIT
#include "config/collectors.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "config/claims.h"
#include "config/keys.h"
#include "config/sections.h"
#include "config/values.h"
#include "fmt/format.h"
#include "sockflow/ipfix/layout.h"

namespace sockflow::config {
namespace {

constexpr size_t kMostCollectors = 64;

constexpr std::string_view kUrl = "collectors.url";
constexpr std::string_view kProfile = "collectors.profile";
constexpr std::string_view kFields = "collectors.fields";
constexpr std::string_view kTls = "collectors.tls";
constexpr std::string_view kCertificate = "collectors.tls.certificate";
constexpr std::string_view kPrivateKey = "collectors.tls.key";
constexpr std::string_view kSpoolDirectory = "collectors.spool.directory";
constexpr std::string_view kSpoolBytes = "collectors.spool.max_bytes";

bool Fits(const Key& key, const std::string& url) {
  return key.schemes.empty() ||
         std::ranges::find(key.schemes, SchemeOf(url)) != key.schemes.end();
}

// One of the list, as it stands in the file.
struct Item {
  Given given;
  std::vector<Item> members;      // of a group
  std::vector<std::string> urls;  // its own or its members'; without those that are wrong

  std::string_view policy() const {
    const auto found = given.values.find(FindKey(kPolicyKey));
    return found == given.values.end() ? "" : found->first->words()[found->second.number];
  }
};

// YAML takes the colon at the end of "- stdout:" for that of a key without a value. The node as it was
// meant.
YAML::Node UrlAlone(const YAML::Node& node) {
  if (!node.IsMap() || node.size() != 1) return node;
  const auto entry = node.begin();
  if (!entry->first.IsScalar() || !entry->second.IsNull()) return node;
  const std::string text = entry->first.Scalar() + ":";
  return ReadUrl(text).ok() ? YAML::Node(text) : node;
}

// What holds for a member with this URL: its own keys, and those of its group that go with it.
Given WithGroup(const Given& group, const Given& member, const std::string& url) {
  Given merged = member;
  for (const auto& [name, line] : group.lines) {
    const Key* key = FindKey(name);
    const bool displaced =
        (name == kProfile && member.Has(kFields)) || (name == kFields && member.Has(kProfile));
    if (key == nullptr) {
      merged.lines.emplace(name, line);
    } else if (!displaced && Fits(*key, url) && merged.lines.emplace(name, line).second) {
      const auto value = group.values.find(key);
      if (value != group.values.end()) merged.values.insert(*value);
    }
  }
  return merged;
}

class CollectorsReader {
 public:
  CollectorsReader(uint32_t pen, Faults& faults, std::vector<std::string>& notes)
      : pen_(pen), faults_(faults), notes_(notes) {}

  std::vector<CollectorGroup> Read(const YAML::Node& list, int line);

 private:
  // nullopt: a fault was noted.
  std::optional<Item> ReadItem(const YAML::Node& node, bool is_member);
  bool ReadMembers(Item& group);

  // Rules for the keys of one map.
  void CheckItem(const Item& item);
  void CheckFailoverMember(const Item& member, int group_line);

  std::vector<CollectorConfig> CollectorsOf(const Item& item);
  void SpoolLacksDirectory(const Given& given);
  CollectorConfig MakeCollector(const Given& given);
  EndpointConfig MakeEndpoint(const Given& given);
  Place PlaceOf(const Given& given, std::string_view name) const {
    return {.file = faults_.file(), .line = given.LineOf(name), .key = std::string(name)};
  }

  uint32_t pen_;
  Faults& faults_;
  std::vector<std::string>& notes_;
};

std::vector<CollectorGroup> CollectorsReader::Read(const YAML::Node& list, int line) {
  // Before anything is read: an alias makes many of a few lines.
  size_t collectors = list.size();
  for (const YAML::Node& node : list) {
    if (collectors > kMostCollectors || !node.IsMap()) continue;
    const YAML::Node members = node["collectors"];
    if (members && members.IsSequence() && members.size() > 0) collectors += members.size() - 1;
  }
  if (collectors > kMostCollectors) {
    faults_.Add(line, "collectors",
                fmt::format("{} collectors are too many; allowed are up to {}", collectors,
                            kMostCollectors));
    return {};
  }
  const size_t faults_before = faults_.size();
  CollectorGroup replicated;
  std::vector<CollectorGroup> groups;
  for (const YAML::Node& node : list) {
    const std::optional<Item> item = ReadItem(node, /*is_member=*/false);
    if (!item.has_value()) continue;
    std::vector<CollectorConfig> made = CollectorsOf(*item);
    if (item->policy() == kHash) {
      groups.push_back({CollectorGroup::Policy::kHash, std::move(made)});
    } else {
      std::ranges::move(made, std::back_inserter(replicated.collectors));
    }
  }
  if (!replicated.collectors.empty()) groups.insert(groups.begin(), std::move(replicated));
  // What is wrong has its default here, and may look like another for that alone.
  if (faults_.size() > faults_before) return groups;
  CheckClaims(groups, [&](const Place& place, const std::string& text) {
    faults_.Add(place.line, place.key, text);
  });
  return groups;
}

std::optional<Item> CollectorsReader::ReadItem(const YAML::Node& node, bool is_member) {
  Item item;
  const YAML::Node url_alone = UrlAlone(node);
  if (url_alone.IsMap()) {
    item.given = ReadSections("collectors", node, faults_);
  } else {
    item.given.line = LineOf(node);
    item.given.lines.emplace(kUrl, item.given.line);
    const Key& key = *FindKey(kUrl);
    if (std::optional<Value> url = ReadScalar(key, item.given.line, url_alone, faults_)) {
      item.given.values.emplace(&key, *std::move(url));
    }
  }
  Given& given = item.given;
  if (given.Has(kPolicyKey) || given.Has(kMembersKey)) {
    if (is_member) {
      const std::string_view name = given.Has(kPolicyKey) ? kPolicyKey : kMembersKey;
      faults_.Add(given.LineOf(name), name,
                  "a group within a group; allowed are URLs, or maps with url");
      return std::nullopt;
    }
    if (!ReadMembers(item)) return std::nullopt;
  } else if (const auto url = given.values.find(FindKey(kUrl)); url != given.values.end()) {
    item.urls.push_back(url->second.text);
  } else {
    if (!given.Has(kUrl)) {
      faults_.Add(given.line, kUrl, fmt::format("missing; allowed is {}", Allowed(*FindKey(kUrl))));
    }
    return std::nullopt;
  }
  CheckItem(item);
  return item;
}

bool CollectorsReader::ReadMembers(Item& group) {
  const Given& given = group.given;
  if (given.Has(kUrl)) {
    faults_.Add(given.LineOf(kUrl), kUrl,
                "given for a group, which has none of its own; write it into the list of its "
                "collectors");
  }
  if (!given.Has(kPolicyKey)) {
    faults_.Add(given.LineOf(kMembersKey), kPolicyKey,
                fmt::format("missing; allowed is {}", Allowed(*FindKey(kPolicyKey))));
  }
  if (!given.Has(kMembersKey)) {
    faults_.Add(given.LineOf(kPolicyKey), kPolicyKey,
                fmt::format("given without collectors; allowed is with {} below collectors",
                            Allowed(*FindKey(kMembersKey))));
  }
  const auto list = given.items.find(FindKey(kMembersKey));
  if (list == given.items.end()) return false;
  if (list->second.size() == 0) {
    faults_.Add(given.LineOf(kMembersKey), kMembersKey,
                fmt::format("is empty; allowed is {}", Allowed(*list->first)));
    return false;
  }
  bool whole = true;
  for (const YAML::Node& node : list->second) {
    std::optional<Item> member = ReadItem(node, /*is_member=*/true);
    if (!member.has_value()) {
      whole = false;
      continue;
    }
    if (group.policy() == kFailover) CheckFailoverMember(*member, given.line);
    group.urls.push_back(member->urls.front());
    group.members.push_back(*std::move(member));
  }
  return whole && !group.policy().empty();
}

void CollectorsReader::CheckFailoverMember(const Item& member, int group_line) {
  for (const auto& [name, line] : member.given.lines) {
    const Key* key = FindKey(name);
    if (key == nullptr || key->set_endpoint != nullptr) continue;
    faults_.Add(line, name,
                fmt::format("given for one of a failover group, which has one queue for all; write "
                            "it at the group (line {})",
                            group_line));
  }
}

void CollectorsReader::CheckItem(const Item& item) {
  const Given& given = item.given;
  if (given.Has(kProfile) && given.Has(kFields)) {
    const bool profile_first = given.LineOf(kProfile) <= given.LineOf(kFields);
    const std::string_view first = profile_first ? kProfile : kFields;
    const std::string_view second = profile_first ? kFields : kProfile;
    faults_.Add(given.LineOf(second), second,
                fmt::format("given beside {} (line {}); allowed is one of the two", first,
                            given.LineOf(first)));
  }
  if (const auto fields = given.values.find(FindKey(kFields)); fields != given.values.end()) {
    const auto layout = ipfix::Layout::OfFields(fields->second.names, pen_);
    if (!layout.ok()) {
      faults_.Add(given.LineOf(kFields), kFields, std::string(layout.status().message()));
    }
  }
  std::set<std::string_view> told;  // once a section
  for (const auto& [name, line] : given.lines) {
    const Key* key = FindKey(name);
    if (key == nullptr ||
        std::ranges::any_of(item.urls, [&](const std::string& url) { return Fits(*key, url); })) {
      continue;
    }
    const std::string_view section = key->name.substr(0, key->name.rfind('.'));
    if (!told.insert(section).second) continue;
    faults_.Add(given.LineOf(section), section,
                fmt::format("does not go with {}; allowed is with {} URLs",
                            fmt::join(item.urls, ", "), ListOf(key->schemes)));
  }
}

std::vector<CollectorConfig> CollectorsReader::CollectorsOf(const Item& item) {
  std::vector<CollectorConfig> made;
  bool spooled = item.given.Has(kSpoolDirectory);
  if (item.members.empty()) {
    made.push_back(MakeCollector(item.given));
    made.back().endpoints.push_back(MakeEndpoint(item.given));
  } else if (item.policy() == kFailover) {
    made.push_back(MakeCollector(item.given));
    for (const Item& member : item.members) {
      made.back().endpoints.push_back(
          MakeEndpoint(WithGroup(item.given, member.given, member.urls.front())));
    }
  } else {
    for (const Item& member : item.members) {
      const Given given = WithGroup(item.given, member.given, member.urls.front());
      made.push_back(MakeCollector(given));
      made.back().endpoints.push_back(MakeEndpoint(given));
      if (given.Has(kSpoolDirectory)) {
        spooled = true;
      } else {
        SpoolLacksDirectory(member.given);
      }
    }
  }
  if (!spooled) SpoolLacksDirectory(item.given);
  return made;
}

void CollectorsReader::SpoolLacksDirectory(const Given& given) {
  if (!given.Has(kSpoolBytes)) return;
  faults_.Add(given.LineOf(kSpoolBytes), kSpoolBytes,
              "given without directory; allowed is beside it: without a directory there is no "
              "spool");
}

CollectorConfig CollectorsReader::MakeCollector(const Given& given) {
  CollectorConfig collector = DefaultCollector();
  for (const auto& [key, value] : given.values) {
    if (key->set_collector != nullptr) key->set_collector(collector, value);
  }
  collector.place = PlaceOf(given, "collectors");
  collector.spool.place = PlaceOf(given, kSpoolDirectory);
  return collector;
}

EndpointConfig CollectorsReader::MakeEndpoint(const Given& given) {
  EndpointConfig endpoint;
  for (const auto& [key, value] : given.values) {
    if (key->set_endpoint != nullptr) key->set_endpoint(endpoint, value);
  }
  endpoint.place = PlaceOf(given, kUrl);
  endpoint.tls.place = PlaceOf(given, kTls);
  if (given.Has(kCertificate) != given.Has(kPrivateKey)) {
    const bool has_key = given.Has(kPrivateKey);
    const std::string_view there = has_key ? kPrivateKey : kCertificate;
    faults_.Add(given.LineOf(there), there,
                fmt::format("given without {}; allowed are both, or neither",
                            has_key ? "certificate" : "key"));
  } else if (!given.Has(kCertificate) && Fits(*FindKey(kCertificate), endpoint.url)) {
    notes_.push_back(fmt::format(
        "{}: {} has no tls.certificate and tls.key: the collector will most likely refuse, since "
        "RFC 7011 11.3 asks both sides for a certificate",
        endpoint.place.ToString(), endpoint.url));
  }
  return endpoint;
}

}  // namespace

std::vector<CollectorGroup> ReadCollectors(const YAML::Node& list, int line, uint32_t pen,
                                           Faults& faults, std::vector<std::string>& notes) {
  return CollectorsReader(pen, faults, notes).Read(list, line);
}

}  // namespace sockflow::config
