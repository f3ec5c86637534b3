// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "agent/agent_stats.h"
#include "agent/status_board.h"
#include "health/http_server.h"
#include "sockflow/config.h"

namespace sockflow {

// Serves /metrics, /healthz and /readyz while it lives. Null: nothing is to be served. Errors name the
// key: kInvalidArgument (the address), and those of the system (it is in use).
absl::StatusOr<std::unique_ptr<health::HttpServer>> ServeStatus(const Config::Metrics& config,
                                                                std::shared_ptr<StatusBoard> board);

// One of its pages.
health::Page StatusPage(std::string_view path, StatusBoard& board);

// Whether records can go somewhere: one collector's transport session is open, or its queue or spool has
// room. Empty: they can; else a sentence for each collector.
std::string WhyNotReady(const AgentStats& stats);

}  // namespace sockflow
