// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/exporter.h"
#include "session/session_filter.h"
#include "sockflow/enricher.h"
#include "sockflow/event_source.h"
#include "sockflow/session_table.h"

namespace sockflow {

// source -> session table -> filter -> enrichers -> exporters, in one thread that owns all of it: no
// locks, and the source's ring buffer is the only queue.
class Pipeline {
 public:
  struct Options {
    SessionTable::Options sessions;
    SessionFilter filter;
    // Called every few seconds if set: keeps a filter true whose facts change (interface addresses).
    std::function<void(SessionFilter&)> refresh_filter;
    // How often what was lost is looked up and, if it has grown, logged; 0: never.
    Duration stats_interval = std::chrono::seconds(60);
    // Ends by itself after this time; 0: runs until Stop().
    Duration duration{};
  };

  Pipeline(std::unique_ptr<EventSource> source, std::vector<std::unique_ptr<Enricher>> enrichers,
           std::vector<std::unique_ptr<Exporter>> exporters, Options options);

  // Until Stop() or the end of the duration; then takes what the source still has, sends all that
  // waits, and logs one line of statistics.
  absl::Status Run();

  // Ends Run() soon. From any thread or signal handler.
  void Stop();

 private:
  using Moment = Exporter::Moment;

  void OnRecord(Session& session, SessionRecord::Kind kind);
  Moment NextDeadline(Moment now) const;
  void OnTime(Moment now);
  void LogNewLosses();
  std::string Summary();

  std::unique_ptr<EventSource> source_;
  std::vector<std::unique_ptr<Enricher>> enrichers_;
  std::vector<std::unique_ptr<Exporter>> exporters_;
  Options options_;
  SessionTable sessions_;
  std::atomic<bool> stop_ = false;

  Moment now_{};  // of this round: one clock reading serves all events that came together
  Moment end_ = Moment::max();
  Moment next_stats_ = Moment::max();
  Moment next_filter_refresh_ = Moment::max();
  uint64_t filtered_records_ = 0;
  uint64_t records_ = 0;
  std::vector<LossCounter> logged_losses_;
};

}  // namespace sockflow
