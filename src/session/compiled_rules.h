// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sockflow/filter_rules.h"
#include "sockflow/session.h"

namespace sockflow {

// Rules as they are asked for every session: sorted and without what is of no account. Nothing is allocated
// to match one.
class CompiledRules {
 public:
  // What is known of a session when rules are asked.
  enum class Known : uint8_t {
    kFromSource,  // the enrichers have not been asked: what they tell may yet match
    kAll,         // what is not known now never will be: it does not match
  };

  CompiledRules() = default;
  explicit CompiledRules(const FilterRules& rules);

  // kOpen: what the enrichers tell decides.
  Choice Choose(const Session& session, Known known) const;

 private:
  // In the order of what is more certain.
  enum class Match : uint8_t { kNo, kMaybe, kYes };

  class Texts {
   public:
    Texts() = default;
    explicit Texts(const std::vector<std::string>& texts);
    bool empty() const { return literals_.empty() && patterns_.empty(); }
    bool Has(std::string_view text) const;

   private:
    std::vector<std::string> literals_;  // sorted
    std::vector<std::string> patterns_;
  };

  class Ports {
   public:
    Ports() = default;
    explicit Ports(std::vector<PortRange> ranges);
    bool empty() const { return ranges_.empty(); }
    bool Has(uint16_t port) const;

   private:
    std::vector<PortRange> ranges_;  // sorted, none touches another
  };

  struct Rule {
    explicit Rule(const FilterRule& rule);

    Match Of(const Session& session, Known known) const;
    bool MatchesEnds(const Session& session) const;
    Match OfUser(const Session& session, Known known) const;
    bool MatchesEnrichment(const Session& session) const;

    Texts process, executable, user_names;
    std::vector<uint32_t> uids;
    std::vector<std::string> container;
    Texts pod_namespace;
    std::vector<IpPrefix> address, local_address, remote_address;
    Ports port, local_port, remote_port;
    std::optional<Direction> direction;
    std::optional<bool> loopback;
    bool needs_enrichment;  // besides the user's name
  };

  static Match Best(const std::vector<Rule>& rules, const Session& session, Known known);

  std::vector<Rule> include_;
  std::vector<Rule> exclude_;
};

}  // namespace sockflow
