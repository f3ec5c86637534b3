// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sockflow/ip_prefix.h"
#include "sockflow/session_event.h"

namespace sockflow {

// From the first to the last, both of them in it.
struct PortRange {
  uint16_t first = 0;
  uint16_t last = 0;

  friend bool operator==(const PortRange&, const PortRange&) = default;
};

// Some sessions: those of which each of these facts is known and one of its values. An empty list: of no
// account. Texts that are patterns know * (any octets) and ? (one octet), and match as a whole.
struct FilterRule {
  std::vector<std::string> process;        // patterns, of Process::name
  std::vector<std::string> executable;     // patterns, of its path
  std::vector<std::string> user;           // names, or uids in decimal
  std::vector<std::string> container;      // how ids begin
  std::vector<std::string> pod_namespace;  // of the pod at either end
  std::vector<IpPrefix> address;           // of either end
  std::vector<IpPrefix> local_address;
  std::vector<IpPrefix> remote_address;
  std::vector<PortRange> port;  // of either end
  std::vector<PortRange> local_port;
  std::vector<PortRange> remote_port;
  std::optional<Direction> direction;
  std::optional<bool> loopback;  // whether the address of either end is a loopback address

  friend bool operator==(const FilterRule&, const FilterRule&) = default;
};

// Which sessions are exported: those that one of the rules to include matches, or all if there is none, and
// that no rule to exclude matches. The order of rules is of no account.
struct FilterRules {
  std::vector<FilterRule> include;
  std::vector<FilterRule> exclude;

  bool empty() const { return include.empty() && exclude.empty(); }
  friend bool operator==(const FilterRules&, const FilterRules&) = default;
};

}  // namespace sockflow
