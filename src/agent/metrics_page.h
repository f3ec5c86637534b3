// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>

#include "agent/agent_stats.h"
#include "agent/own_process.h"

namespace sockflow {

// All metrics in the text format of Prometheus. `stats` null: nothing is captured yet, so that there are
// those of the process alone.
std::string MetricsPage(const AgentStats* stats, const OwnProcess& process,
                        std::chrono::nanoseconds since_round);

}  // namespace sockflow
