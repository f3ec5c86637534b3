// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "agent/agent_stats.h"
#include "agent/exporters.h"
#include "agent/held_records.h"
#include "agent/losses.h"
#include "agent/status_board.h"
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
    HeldRecords::Options held;
    // Called every few seconds if set: keeps a filter true whose facts change (interface addresses).
    std::function<void(SessionFilter&)> refresh_filter;
    // Changes what can be changed while sessions go on.
    std::function<void(Exporters&, SessionFilter&, EventSource&)> reload;
    // This process, whose sessions are left out: what it exports must not give rise to more of it.
    uint32_t own_pid = 0;  // 0: of no account
    // How often what was lost is looked up and, if it has grown, logged; 0: never.
    Duration stats_interval = std::chrono::seconds(60);
    // How long the end may take to send what waits.
    Duration shutdown_time = std::chrono::seconds(5);
    // Ends by itself after this time; 0: runs until Stop().
    Duration duration{};
    // Of the source: for statistics.
    std::string_view tier;
    // Where other threads learn how it goes; null: nobody asks.
    std::shared_ptr<StatusBoard> status;
  };

  Pipeline(std::unique_ptr<EventSource> source, std::vector<std::unique_ptr<Enricher>> enrichers,
           Exporters exporters, Options options);
  ~Pipeline();

  // Until Stop() or the end of the duration; then takes what the source still has, sends all that
  // waits, and logs one line of statistics.
  absl::Status Run();

  // Ends Run() soon. From any thread or signal handler.
  void Stop();

  // Calls Options::reload soon, in the thread of Run(). From any thread.
  void Reload();

 private:
  using Moment = Exporters::Moment;

  void OnRecord(Session& session, SessionRecord::Kind kind);
  // By what the source tells.
  Choice ChooseFirst(const Session& session);
  Enriched Enrich(Session& session);
  // What an enricher asked to wait for may be there now, or the time is over.
  void OnHeld(Moment now);
  void Export(Session& session, SessionRecord::Kind kind, bool gave_up);
  Moment NextDeadline(Moment now) const;
  void OnTime(Moment now);
  // After each round.
  void TellStatus();
  std::vector<AgentStats::Stage> LossesByStage(const SourceStats& source) const;
  void UpdateLosses();
  void LogNewLosses();
  std::vector<LossCounter> MissingFacts() const;
  AgentStats Statistics();

  std::unique_ptr<EventSource> source_;
  std::vector<std::unique_ptr<Enricher>> enrichers_;
  Exporters exporters_;
  Options options_;
  SessionTable sessions_;
  uint64_t rounds_ = 0;  // of the source, as the table knows it
  HeldRecords held_;
  uint64_t held_news_ = 0;  // of the enrichers, when those that are held were asked for last
  std::atomic<bool> stop_ = false;
  std::atomic<bool> reload_ = false;

  Moment now_{};  // of this round: one clock reading serves all events that came together
  Moment end_ = Moment::max();
  Moment next_stats_ = Moment::max();
  Moment next_filter_refresh_ = Moment::max();
  AgentStats::Counts counts_;
  Losses losses_;
  std::vector<LossCounter> logged_losses_;
  std::vector<LossCounter> logged_missing_;
};

}  // namespace sockflow
