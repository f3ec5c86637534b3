// SPDX-License-Identifier: MIT
#include "source/ebpf/kernel_rules.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sockflow {
namespace {

constexpr uint32_t kNobody = 0xFFFFFFFF;

struct KernelRule {
  filter_rule rule;
  bool exact;  // it has all keys of the user's
};

// True: the rule has the key now, or needs none.
bool AddPorts(const std::vector<PortRange>& ranges, filter_keys key, filter_ports filter_rule::*ports,
              filter_rule& rule) {
  if (ranges.size() > SOCKFLOW_FILTER_VALUES) return false;
  for (size_t i = 0; i < ranges.size(); ++i) {
    (rule.*ports).first[i] = ranges[i].first;
    (rule.*ports).last[i] = ranges[i].last;
  }
  if (!ranges.empty()) rule.keys |= key;
  return true;
}

bool AddUids(const std::vector<std::string>& users, filter_rule& rule) {
  if (users.size() > SOCKFLOW_FILTER_VALUES) return false;
  std::vector<uint32_t> uids;
  for (const std::string& user : users) {
    uint32_t uid = 0;
    const char* end = user.data() + user.size();
    const auto [stop, error] = std::from_chars(user.data(), end, uid);
    // A name is for user space.
    if (error != std::errc() || stop != end) return false;
    uids.push_back(uid);
  }
  std::ranges::copy(uids, rule.uids);
  if (!uids.empty()) rule.keys |= FILTER_UID;
  return true;
}

KernelRule KernelRuleOf(const FilterRule& from, bool excludes) {
  KernelRule result = {.rule = {}, .exact = true};
  filter_rule& rule = result.rule;
  rule.excludes = excludes;
  for (filter_ports* ports : {&rule.port, &rule.local_port, &rule.remote_port}) {
    std::ranges::fill(ports->first, uint16_t{1});
    ports->first[0] = 0;
    ports->last[0] = 0xFFFF;
  }
  std::ranges::fill(rule.uids, kNobody);
  if (from.direction) rule.keys |= *from.direction == Direction::kActive ? FILTER_ACTIVE : FILTER_PASSIVE;
  if (from.loopback) rule.keys |= *from.loopback ? FILTER_LOOPBACK : FILTER_NO_LOOPBACK;
  for (const bool added :
       {AddPorts(from.port, FILTER_PORT, &filter_rule::port, rule),
        AddPorts(from.local_port, FILTER_LOCAL_PORT, &filter_rule::local_port, rule),
        AddPorts(from.remote_port, FILTER_REMOTE_PORT, &filter_rule::remote_port, rule), AddUids(from.user, rule),
        from.process.empty(), from.executable.empty(), from.container.empty(), from.pod_namespace.empty(),
        from.address.empty(), from.local_address.empty(), from.remote_address.empty()}) {
    result.exact = result.exact && added;
  }
  return result;
}

}  // namespace

filter_rules KernelRulesOf(const FilterRules& rules) {
  filter_rules result = {};
  // With less keys a rule to include matches more. It is all of them or none.
  if (rules.include.size() <= SOCKFLOW_FILTER_RULES) {
    for (const FilterRule& from : rules.include) {
      result.rules[result.count] = KernelRuleOf(from, /*excludes=*/false).rule;
      // Without any, all sessions.
      if (result.rules[result.count].keys == 0) {
        result.count = 0;
        break;
      }
      ++result.count;
    }
    result.includes = result.count;
  }
  for (const FilterRule& from : rules.exclude) {
    if (result.count == SOCKFLOW_FILTER_RULES) break;
    const KernelRule rule = KernelRuleOf(from, /*excludes=*/true);
    if (rule.exact) result.rules[result.count++] = rule.rule;
  }
  return result;
}

}  // namespace sockflow
