// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "delivery/courier.h"
#include "sockflow/enricher.h"
#include "sockflow/event_source.h"
#include "sockflow/ipfix/options_records.h"
#include "sockflow/loss_counter.h"
#include "sockflow/session_event.h"
#include "sockflow/session_table.h"

namespace sockflow {

// All that the agent counts of its own work, at one moment: the summary in the log and the metrics are
// two ways to write it. A copy: any thread may read it.
struct AgentStats {
  // By the numbers of the enumerations.
  static constexpr std::string_view kEventKinds[] = {"connect",  "established", "accept", "owner",
                                                     "existing", "update",      "close"};
  static constexpr std::string_view kAttributions[] = {"unknown", "listener", "caller", "holder"};
  using EventCounts = std::array<uint64_t, std::size(kEventKinds)>;
  using AttributionCounts = std::array<uint64_t, std::size(kAttributions)>;

  // What went by, counted as it does.
  struct Counts {
    EventCounts events{};           // by SessionEvent::Kind
    AttributionCounts attributed{};  // sessions whose end was exported, by Attribution
    uint64_t filtered_records = 0;
    uint64_t own_sessions = 0;  // left out; those that the source leaves out are in SourceStats::own
  };
  struct Stage {
    std::string_view name;  // "capture", "session"
    std::vector<LossCounter> lost;
  };
  struct Collector {
    std::string name;
    delivery::DeliveryStats delivery;
    ipfix::ExportingStatistics totals;  // what was sent, which never goes down
  };

  std::string_view tier;  // "fentry", ..., or "file"
  SourceStats source;
  std::vector<Stage> stages;
  Counts counts;
  SessionTable::Stats sessions;
  uint64_t open_sessions = 0;
  uint64_t held_records = 0;
  std::vector<Collector> collectors;
  std::vector<LossCounter> missing_facts;
  std::vector<CacheStats> caches;
};

// All stages' losses in one list.
std::vector<LossCounter> LossesOf(const std::vector<AgentStats::Stage>& stages);

// One line for the log, when all is over.
std::string SummaryOf(const AgentStats& stats);

}  // namespace sockflow
