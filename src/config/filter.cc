// SPDX-License-Identifier: MIT
#include "config/filter.h"

#include <string>

#include "absl/cleanup/cleanup.h"
#include "config/keys.h"
#include "config/sections.h"
#include "fmt/format.h"

namespace sockflow::config {
namespace {

constexpr size_t kMostRules = 256;

// "process, executable, ...".
std::string KeysOfARule() {
  std::string names;
  for (const Key& key : Keys()) {
    if (key.set_rule == nullptr) continue;
    names += names.empty() ? "" : ", ";
    names += key.name.substr(kRuleSection.size() + 1);
  }
  return names;
}

}  // namespace

std::vector<FilterRule> ReadRules(const YAML::Node& list, int line, std::string_view key, Faults& faults) {
  if (list.size() > kMostRules) {
    faults.Add(line, key, fmt::format("{} rules are too many; allowed are up to {}", list.size(), kMostRules));
    return {};
  }
  // Both lists have rules of the same keys.
  faults.ShowAs(kRuleSection, key);
  const absl::Cleanup as_it_is = [&] { faults.ShowAs({}, {}); };
  std::vector<FilterRule> rules;
  for (const YAML::Node& node : list) {
    if (!node.IsMap() || node.size() == 0) {
      faults.Add(LineOf(node), key,
                 fmt::format("{} where a rule belongs; allowed is a map of the keys {}",
                             node.IsMap() || node.IsNull() ? "nothing"
                             : node.IsSequence()           ? "a list"
                                                           : "a single value",
                             KeysOfARule()));
      continue;
    }
    const Given given = ReadSections(std::string(kRuleSection), node, faults);
    FilterRule& rule = rules.emplace_back();
    for (const auto& [rule_key, value] : given.values) rule_key->set_rule(rule, value);
  }
  return rules;
}

}  // namespace sockflow::config
