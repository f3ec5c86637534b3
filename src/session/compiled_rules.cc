// SPDX-License-Identifier: MIT
#include "session/compiled_rules.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <utility>

#include "session/pattern.h"

namespace sockflow {
namespace {

bool AnyContains(const std::vector<IpPrefix>& prefixes, const IpAddress& address) {
  return std::ranges::any_of(prefixes, [&](const IpPrefix& prefix) { return prefix.Contains(address); });
}

std::optional<uint32_t> UidOf(std::string_view user) {
  uint32_t uid = 0;
  const char* end = user.data() + user.size();
  const auto [stop, error] = std::from_chars(user.data(), end, uid);
  return error == std::errc() && stop == end ? std::optional(uid) : std::nullopt;
}

bool IsIn(const std::shared_ptr<const PodFacts>& pod, const auto& namespaces) {
  return pod != nullptr && namespaces.Has(pod->pod_namespace);
}

}  // namespace

CompiledRules::Texts::Texts(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    (text.find_first_of("*?") == text.npos ? literals_ : patterns_).push_back(text);
  }
  std::ranges::sort(literals_);
}

bool CompiledRules::Texts::Has(std::string_view text) const {
  // What is not known.
  if (text.empty()) return false;
  return std::binary_search(literals_.begin(), literals_.end(), text, std::less<>()) ||
         std::ranges::any_of(patterns_, [&](const auto& pattern) { return MatchesPattern(pattern, text); });
}

CompiledRules::Ports::Ports(std::vector<PortRange> ranges) {
  std::ranges::sort(ranges, {}, &PortRange::first);
  for (const PortRange& range : ranges) {
    if (!ranges_.empty() && range.first <= ranges_.back().last + 1) {
      ranges_.back().last = std::max(ranges_.back().last, range.last);
    } else {
      ranges_.push_back(range);
    }
  }
}

bool CompiledRules::Ports::Has(uint16_t port) const {
  const auto after = std::ranges::upper_bound(ranges_, port, {}, &PortRange::first);
  return after != ranges_.begin() && port <= std::prev(after)->last;
}

CompiledRules::Rule::Rule(const FilterRule& rule)
    : process(rule.process),
      executable(rule.executable),
      container(rule.container),
      pod_namespace(rule.pod_namespace),
      address(rule.address),
      local_address(rule.local_address),
      remote_address(rule.remote_address),
      port(rule.port),
      local_port(rule.local_port),
      remote_port(rule.remote_port),
      direction(rule.direction),
      loopback(rule.loopback),
      needs_enrichment(!rule.executable.empty() || !rule.container.empty() || !rule.pod_namespace.empty()) {
  std::vector<std::string> names;
  for (const std::string& user : rule.user) {
    if (const std::optional<uint32_t> uid = UidOf(user)) {
      uids.push_back(*uid);
    } else {
      names.push_back(user);
    }
  }
  user_names = Texts(names);
}

bool CompiledRules::Rule::MatchesEnds(const Session& session) const {
  const Endpoint& local = session.local;
  const Endpoint& remote = session.remote;
  if (direction && *direction != session.direction) return false;
  if (loopback && *loopback != (local.address.is_loopback() || remote.address.is_loopback())) return false;
  if (!port.empty() && !port.Has(local.port) && !port.Has(remote.port)) return false;
  if (!local_port.empty() && !local_port.Has(local.port)) return false;
  if (!remote_port.empty() && !remote_port.Has(remote.port)) return false;
  if (!address.empty() && !AnyContains(address, local.address) && !AnyContains(address, remote.address)) {
    return false;
  }
  if (!local_address.empty() && !AnyContains(local_address, local.address)) return false;
  return remote_address.empty() || AnyContains(remote_address, remote.address);
}

CompiledRules::Match CompiledRules::Rule::OfUser(const Session& session, Known known) const {
  if (uids.empty() && user_names.empty()) return Match::kYes;
  if (!session.process || session.process->uid == kNoUid) return Match::kNo;
  if (std::ranges::find(uids, session.process->uid) != uids.end()) return Match::kYes;
  if (user_names.empty()) return Match::kNo;
  if (known == Known::kFromSource) return Match::kMaybe;
  return user_names.Has(session.user_name) ? Match::kYes : Match::kNo;
}

bool CompiledRules::Rule::MatchesEnrichment(const Session& session) const {
  if (!executable.empty() && !executable.Has(session.executable)) return false;
  if (!container.empty()) {
    const auto begins = [&](const std::string& id) { return session.container->id.starts_with(id); };
    if (session.container == nullptr || !std::ranges::any_of(container, begins)) return false;
  }
  return pod_namespace.empty() || IsIn(session.pod, pod_namespace) || IsIn(session.remote_pod, pod_namespace);
}

CompiledRules::Match CompiledRules::Rule::Of(const Session& session, Known known) const {
  if (!MatchesEnds(session)) return Match::kNo;
  if (!process.empty() && (!session.process || !process.Has(session.process->name.view()))) return Match::kNo;
  const Match user = OfUser(session, known);
  if (user == Match::kNo || !needs_enrichment) return user;
  if (known == Known::kFromSource) return Match::kMaybe;
  return MatchesEnrichment(session) ? user : Match::kNo;
}

CompiledRules::CompiledRules(const FilterRules& rules)
    : include_(rules.include.begin(), rules.include.end()), exclude_(rules.exclude.begin(), rules.exclude.end()) {}

CompiledRules::Match CompiledRules::Best(const std::vector<Rule>& rules, const Session& session, Known known) {
  Match best = Match::kNo;
  for (const Rule& rule : rules) {
    best = std::max(best, rule.Of(session, known));
    if (best == Match::kYes) break;
  }
  return best;
}

Choice CompiledRules::Choose(const Session& session, Known known) const {
  const Match excluded = Best(exclude_, session, known);
  if (excluded == Match::kYes) return Choice::kLeftOut;
  const Match included = include_.empty() ? Match::kYes : Best(include_, session, known);
  if (included == Match::kNo) return Choice::kLeftOut;
  return included == Match::kYes && excluded == Match::kNo ? Choice::kKept : Choice::kOpen;
}

}  // namespace sockflow
