// SPDX-License-Identifier: MIT
#include "agent/agent_stats.h"

#include "agent/losses.h"
#include "fmt/format.h"

namespace sockflow {

static_assert(std::size(AgentStats::kEventKinds) == static_cast<size_t>(SessionEvent::Kind::kClose) + 1);
static_assert(std::size(AgentStats::kAttributions) == static_cast<size_t>(Attribution::kHolder) + 1);

std::vector<LossCounter> LossesOf(const std::vector<AgentStats::Stage>& stages) {
  std::vector<LossCounter> all;
  for (const AgentStats::Stage& stage : stages) all.insert(all.end(), stage.lost.begin(), stage.lost.end());
  return all;
}

std::string SummaryOf(const AgentStats& stats) {
  const SessionTable::Stats& sessions = stats.sessions;
  std::string text = fmt::format(
      "seen {} events: {} sessions started, {} ended, {} open, {} updates; {} starts repaired, {} calls rescued, "
      "{} records filtered out, {} sessions filtered out at the source, {} sessions of its own left out",
      stats.source.events, sessions.starts, sessions.ends, stats.open_sessions, sessions.updates,
      sessions.repaired_starts, stats.source.rescued, stats.counts.filtered_records,
      stats.source.filtered, stats.source.own + stats.counts.own_sessions);
  for (const AgentStats::Collector& collector : stats.collectors) {
    const delivery::DeliveryStats& delivery = collector.delivery;
    text += fmt::format("; {}: exported {} records in {} messages, lost {} records", collector.name,
                        delivery.records, delivery.messages, delivery.lost_records);
    std::vector<LossCounter> reasons;
    for (const auto& [reason, records] : delivery.lost_by_reason) reasons.push_back({reason, records});
    if (!reasons.empty()) text += fmt::format(" ({})", ListLosses(reasons));
  }
  if (const std::string aside = ListLosses(stats.source.set_aside); !aside.empty()) {
    text += "; set aside: " + aside;
  }
  if (const std::string missing = ListLosses(stats.missing_facts); !missing.empty()) {
    text += "; facts not found: " + missing;
  }
  const std::string lost = ListLosses(LossesOf(stats.stages));
  return text + "; lost by reason: " + (lost.empty() ? "nothing" : lost);
}

}  // namespace sockflow
