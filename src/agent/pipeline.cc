// SPDX-License-Identifier: MIT
#include "agent/pipeline.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "delivery/wall_clock.h"
#include "spdlog/spdlog.h"

namespace sockflow {
namespace {

constexpr auto kFilterRefreshInterval = std::chrono::seconds(5);
// How long a source that can wait does so before its records are asked for room again.
constexpr auto kRoomInterval = std::chrono::milliseconds(1);
// How often enrichers are asked for news while records wait for some.
constexpr auto kNewsInterval = std::chrono::milliseconds(20);

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
      sessions_(options_.sessions),
      held_(options_.held) {
  exporters_.set_metering([this] {
    UpdateLosses();
    return losses_.statistics();
  });
}

Pipeline::~Pipeline() {
  if (options_.status != nullptr) options_.status->Detach();
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
  if (session.choice == Choice::kOpen) session.choice = ChooseFirst(session);
  if (session.choice == Choice::kLeftOut) {
    ++counts_.filtered_records;
    return;
  }
  // At the end only what was not known at the start, or of another process, is looked up.
  const Enriched enriched = Enrich(session);
  if (enriched == Enriched::kDone && held_.empty()) return Export(session, kind, /*gave_up=*/false);
  held_.Put(session, kind, enriched, now_,
            [this](Session& s, SessionRecord::Kind k, bool gave_up) { Export(s, k, gave_up); });
}

Choice Pipeline::ChooseFirst(const Session& session) {
  const uint32_t own_pid = source_->own_pid().value_or(options_.own_pid);
  if (own_pid != 0 && session.process && session.process->pid == own_pid) {
    ++counts_.own_sessions;
    return Choice::kLeftOut;
  }
  return options_.filter.Choose(session, CompiledRules::Known::kFromSource);
}

Enriched Pipeline::Enrich(Session& session) {
  Enriched enriched = Enriched::kDone;
  for (const auto& enricher : enrichers_) {
    if (enricher->Enrich(session) == Enriched::kLater) enriched = Enriched::kLater;
  }
  return enriched;
}

void Pipeline::Export(Session& session, SessionRecord::Kind kind, bool gave_up) {
  if (session.choice == Choice::kOpen) {
    session.choice = options_.filter.Choose(session, CompiledRules::Known::kAll);
    // This may be a copy that was held.
    if (Session* open = sessions_.Find(session.id); open != nullptr) open->choice = session.choice;
  }
  if (session.choice == Choice::kLeftOut) {
    ++counts_.filtered_records;
    return;
  }
  if (gave_up) {
    for (const auto& enricher : enrichers_) enricher->GaveUp(session);
  }
  if (kind == SessionRecord::Kind::kEnd) {
    // Of one that ended all is known of its owner that ever will be.
    ++counts_.attributed[static_cast<size_t>(session.attribution)];
  }
  exporters_.Export({kind, session}, now_);
}

void Pipeline::OnHeld(Moment now) {
  if (held_.empty()) return;
  const auto enrich = [this](Session& session) { return Enrich(session); };
  const auto release = [this](Session& s, SessionRecord::Kind k, bool gave_up) { Export(s, k, gave_up); };
  uint64_t news = 0;
  for (const auto& enricher : enrichers_) news += enricher->news();
  if (news != std::exchange(held_news_, news)) held_.Retry(enrich, release);
  held_.Expire(now, enrich, release);
}

Pipeline::Moment Pipeline::NextDeadline(Moment now) const {
  Moment next = std::min({end_, next_stats_, next_filter_refresh_, exporters_.NextDeadline(now)});
  // The table counts in the time of the events.
  if (const Time held = sessions_.NextDeadline(); held != Time::max()) {
    next = std::min(next, now + std::max(held - WallClockNow(), Duration::zero()));
  }
  if (!held_.empty()) next = std::min({next, held_.NextDeadline(), now + kNewsInterval});
  return next;
}

void Pipeline::OnTime(Moment now) {
  const auto emit = [this](Session& session, SessionRecord::Kind kind) { OnRecord(session, kind); };
  if (sessions_.NextDeadline() != Time::max()) sessions_.Expire(WallClockNow(), emit);
  if (const uint64_t before = std::exchange(rounds_, source_->rounds()); before < rounds_) {
    sessions_.EndUnheard(WallClockNow(), emit);
  }
  OnHeld(now);
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
  bool waited = false;
  const auto apply = [this, &emit, &waited](const SessionEvent& event) {
    // The source may have waited for long: what waits for its time from here on must not have waited already.
    if (std::exchange(waited, false)) now_ = std::chrono::steady_clock::now();
    ++counts_.events[static_cast<size_t>(event.kind)];
    sessions_.Apply(event, emit);
  };
  if (options_.status != nullptr) options_.status->Attach([this] { source_->Wake(); });
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
    waited = true;
    status = source_->Poll(wait, apply);
    if (!status.ok()) break;
    now_ = std::chrono::steady_clock::now();
    OnTime(now_);
    if (reload_.exchange(false) && options_.reload) {
      options_.reload(exporters_, options_.filter, *source_);
      now_ = std::chrono::steady_clock::now();
    }
    TellStatus();
  }
  if (options_.status != nullptr) options_.status->Detach();
  // What happened before the signal is exported, also if it was still on its way.
  if (status.ok() && !source_->finished()) status = source_->Poll(Duration::zero(), apply);
  sessions_.Flush(emit);
  OnHeld(Moment::max());
  exporters_.Finish(options_.shutdown_time);
  spdlog::info("{}", SummaryOf(Statistics()));
  return status;
}

std::vector<AgentStats::Stage> Pipeline::LossesByStage(const SourceStats& source) const {
  return {{"capture", source.lost},
          {"session",
           {{"session_evicted", sessions_.stats().evicted},
            {"session_recounted", sessions_.stats().recounted},
            {"unseen_end", sessions_.stats().unseen_ends},
            {"late_accept", sessions_.stats().late}}}};
}

void Pipeline::UpdateLosses() {
  losses_.Update(LossesOf(LossesByStage(source_->stats())), WallClockNow());
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
  std::vector<LossCounter> missing = MissingFacts();
  if (const std::string facts = ListLosses(Difference(missing, logged_missing_)); !facts.empty()) {
    spdlog::info("facts not found since the last such line: {}", facts);
  }
  logged_missing_ = std::move(missing);
}

// The records of these went out, with less than they might have told.
std::vector<LossCounter> Pipeline::MissingFacts() const {
  std::vector<LossCounter> counters = {
      {"owner_unknown", counts_.attributed[static_cast<size_t>(Attribution::kUnknown)]}};
  for (const auto& enricher : enrichers_) {
    for (LossCounter& missing : enricher->missing()) counters.push_back(std::move(missing));
  }
  return counters;
}

AgentStats Pipeline::Statistics() {
  AgentStats stats{.tier = options_.tier, .source = source_->stats()};
  stats.stages = LossesByStage(stats.source);
  stats.counts = counts_;
  stats.sessions = sessions_.stats();
  stats.open_sessions = sessions_.size();
  stats.held_records = held_.records();
  for (Exporter* exporter : exporters_.list()) {
    delivery::DeliveryStats delivery = exporter->stats();
    const ipfix::ExportingStatistics totals = exporter->TotalsOf(delivery);
    stats.collectors.push_back({exporter->name(), std::move(delivery), totals});
  }
  stats.missing_facts = MissingFacts();
  for (const auto& enricher : enrichers_) {
    for (const CacheStats& cache : enricher->caches()) stats.caches.push_back(cache);
  }
  return stats;
}

void Pipeline::TellStatus() {
  if (options_.status == nullptr) return;
  options_.status->Beat(now_);
  if (options_.status->wanted()) options_.status->Publish(Statistics());
}

}  // namespace sockflow
