// SPDX-License-Identifier: MIT
#include "agent/pipeline.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "delivery/wall_clock.h"
#include "fmt/format.h"
#include "spdlog/spdlog.h"

namespace sockflow {
namespace {

constexpr auto kFilterRefreshInterval = std::chrono::seconds(5);
// How long a source that can wait does so before its records are asked for room again.
constexpr auto kRoomInterval = std::chrono::milliseconds(1);

// What has been added to each counter.
std::vector<LossCounter> Difference(const std::vector<LossCounter>& now,
                                    const std::vector<LossCounter>& before) {
  std::vector<LossCounter> result = now;
  for (size_t i = 0; i < result.size() && i < before.size(); ++i) result[i].count -= before[i].count;
  return result;
}

}  // namespace

Pipeline::Pipeline(std::unique_ptr<EventSource> source,
                   std::vector<std::unique_ptr<Enricher>> enrichers,
                   Exporters exporters, Options options)
    : source_(std::move(source)),
      enrichers_(std::move(enrichers)),
      exporters_(std::move(exporters)),
      options_(std::move(options)),
      sessions_(options_.sessions) {
  exporters_.set_metering([this] {
    UpdateLosses();
    return losses_.statistics();
  });
}

void Pipeline::Stop() {
  stop_.store(true);
  source_->Wake();
}

void Pipeline::Reload() {
  reload_.store(true);
  source_->Wake();
}

void Pipeline::OnRecord(Session& session, SessionRecord::Kind kind) {
  if (!options_.filter.Keeps(session)) {
    ++filtered_records_;
    return;
  }
  // At the end only what was not known at the start, or of another process, is looked up.
  for (const auto& enricher : enrichers_) enricher->Enrich(session);
  ++records_;
  exporters_.Export({kind, session}, now_);
}

Pipeline::Moment Pipeline::NextDeadline(Moment now) const {
  Moment next = std::min({end_, next_stats_, next_filter_refresh_, exporters_.NextDeadline(now)});
  // The table counts in the time of the events.
  if (const Time held = sessions_.NextDeadline(); held != Time::max()) {
    next = std::min(next, now + std::max(held - WallClockNow(), Duration::zero()));
  }
  return next;
}

void Pipeline::OnTime(Moment now) {
  const auto emit = [this](Session& session, SessionRecord::Kind kind) { OnRecord(session, kind); };
  if (sessions_.NextDeadline() != Time::max()) sessions_.Expire(WallClockNow(), emit);
  exporters_.OnTime(now);
  if (next_filter_refresh_ <= now) {
    options_.refresh_filter(options_.filter);
    next_filter_refresh_ = now + kFilterRefreshInterval;
  }
  if (next_stats_ <= now) {
    LogNewLosses();
    next_stats_ = now + options_.stats_interval;
  }
}

absl::Status Pipeline::Run() {
  now_ = std::chrono::steady_clock::now();
  if (options_.duration > Duration::zero()) end_ = now_ + options_.duration;
  if (options_.stats_interval > Duration::zero()) next_stats_ = now_ + options_.stats_interval;
  if (options_.refresh_filter) next_filter_refresh_ = now_ + kFilterRefreshInterval;

  const auto emit = [this](Session& session, SessionRecord::Kind kind) { OnRecord(session, kind); };
  const auto apply = [this, &emit](const SessionEvent& event) { sessions_.Apply(event, emit); };
  absl::Status status;
  while (!stop_.load(std::memory_order_relaxed) && now_ < end_) {
    if (source_->finished()) break;
    if (source_->can_wait() && !exporters_.HasRoom()) {
      std::this_thread::sleep_for(kRoomInterval);
      now_ = std::chrono::steady_clock::now();
      OnTime(now_);
      continue;
    }
    const Moment deadline = NextDeadline(now_);
    const Duration wait =
        deadline == Moment::max() ? Duration::max() : std::max(Duration(deadline - now_), Duration::zero());
    status = source_->Poll(wait, apply);
    if (!status.ok()) break;
    now_ = std::chrono::steady_clock::now();
    OnTime(now_);
    if (reload_.exchange(false) && options_.reload) {
      options_.reload(exporters_, options_.filter);
      now_ = std::chrono::steady_clock::now();
    }
  }
  // What happened before the signal is exported, also if it was still on its way.
  if (status.ok() && !source_->finished()) status = source_->Poll(Duration::zero(), apply);
  sessions_.Flush(emit);
  exporters_.Finish(options_.shutdown_time);
  spdlog::info("{}", Summary());
  return status;
}

void Pipeline::UpdateLosses() {
  std::vector<LossCounter> counters = source_->stats().lost;
  counters.push_back({"session_evicted", sessions_.stats().evicted});
  counters.push_back({"late_accept", sessions_.stats().late});
  for (const auto& enricher : enrichers_) {
    for (LossCounter& loss : enricher->losses()) counters.push_back(std::move(loss));
  }
  losses_.Update(std::move(counters), WallClockNow());
}

void Pipeline::LogNewLosses() {
  UpdateLosses();
  const std::string news = ListLosses(Difference(losses_.counters(), logged_losses_));
  if (!news.empty()) {
    spdlog::warn("not seen or incomplete in the last {} s: {}",
                 std::chrono::duration_cast<std::chrono::seconds>(options_.stats_interval).count(),
                 news);
  }
  logged_losses_ = losses_.counters();
}

std::string Pipeline::Summary() {
  const SourceStats source = source_->stats();
  const SessionTable::Stats& sessions = sessions_.stats();
  std::string text = fmt::format(
      "seen {} events: {} sessions started, {} ended, {} open; {} starts repaired, {} calls rescued, "
      "{} records filtered out",
      source.events, sessions.starts, sessions.ends, sessions_.size(), sessions.repaired_starts,
      source.rescued, filtered_records_);
  for (const Exporter* exporter : exporters_.list()) {
    const delivery::DeliveryStats stats = exporter->stats();
    text += fmt::format("; {}: exported {} records in {} messages, lost {} records",
                        exporter->name(), stats.records, stats.messages, stats.lost_records);
    std::vector<LossCounter> reasons;
    for (const auto& [reason, records] : stats.lost_by_reason) reasons.push_back({reason, records});
    if (!reasons.empty()) text += fmt::format(" ({})", ListLosses(reasons));
  }
  if (const std::string aside = ListLosses(source.set_aside); !aside.empty()) {
    text += "; set aside: " + aside;
  }
  UpdateLosses();
  const std::string lost = ListLosses(losses_.counters());
  return text + "; lost by reason: " + (lost.empty() ? "nothing" : lost);
}

}  // namespace sockflow
