// SPDX-License-Identifier: MIT
#include "config/claims.h"

#include <algorithm>
#include <vector>

#include "fmt/format.h"

namespace sockflow::config {
namespace {

std::string Where(const Place& place) {
  return place.line > 0 ? fmt::format("in line {}", place.line) : "as " + place.key;
}

// What takes all that is written for itself: two writers would spoil each other's records.
bool IsExclusive(std::string_view url) {
  return SchemeOf(url) == "file" || SchemeOf(url) == "stdout";
}

// OK, or why these two cannot stand beside each other.
std::string ConflictOf(const CollectorConfig& first, const CollectorConfig& second) {
  for (const EndpointConfig& one : first.endpoints) {
    for (const EndpointConfig& other : second.endpoints) {
      if (one.url == other.url && IsExclusive(one.url)) {
        return fmt::format("{} is another collector's already, {}; allowed is once", other.url,
                           Where(one.place));
      }
    }
  }
  if (first == second) {
    return fmt::format("{} is listed twice with the same keys, first {}; allowed is once",
                       second.endpoints.front().url, Where(first.endpoints.front().place));
  }
  return {};
}

// A second endpoint that is the first is no place to turn to when that fails.
void CheckEndpoints(const CollectorConfig& collector,
                    absl::FunctionRef<void(const Place&, const std::string&)> fault) {
  for (auto other = collector.endpoints.begin(); other != collector.endpoints.end(); ++other) {
    const auto one = std::find_if(collector.endpoints.begin(), other,
                                  [&](const EndpointConfig& e) { return e.url == other->url; });
    if (one == other) continue;
    fault(other->place, fmt::format("{} is listed twice in one failover group, first {}; allowed is "
                                    "once",
                                    other->url, Where(one->place)));
  }
}

}  // namespace

std::string_view SchemeOf(std::string_view url) { return url.substr(0, url.find(':')); }

void CheckClaims(std::span<const CollectorGroup> groups,
                 absl::FunctionRef<void(const Place&, const std::string&)> fault) {
  std::vector<const CollectorConfig*> seen;
  for (const CollectorGroup& group : groups) {
    for (const CollectorConfig& collector : group.collectors) {
      CheckEndpoints(collector, fault);
      for (const CollectorConfig* first : seen) {
        if (const std::string conflict = ConflictOf(*first, collector); !conflict.empty()) {
          fault(collector.endpoints.front().place, conflict);
          break;
        }
        if (!collector.spool.directory.empty() &&
            collector.spool.directory == first->spool.directory) {
          fault(collector.spool.place,
                fmt::format("{} is the spool of {} already ({}); give each collector its own",
                            collector.spool.directory, first->endpoints.front().url,
                            Where(first->endpoints.front().place)));
          break;
        }
      }
      seen.push_back(&collector);
    }
  }
}

}  // namespace sockflow::config

namespace sockflow {

absl::Status CheckCollectors(std::span<const CollectorGroup> groups) {
  std::vector<std::string> faults;
  config::CheckClaims(groups, [&](const Place& place, const std::string& text) {
    faults.push_back(fmt::format("{}: {}", place.ToString(), text));
  });
  if (faults.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{}", fmt::join(faults, "\n")));
}

}  // namespace sockflow
