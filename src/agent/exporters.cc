// SPDX-License-Identifier: MIT
#include "agent/exporters.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "agent/session_hash.h"
#include "spdlog/spdlog.h"

namespace sockflow {
namespace {

constexpr auto kRetiredPollInterval = std::chrono::milliseconds(100);
constexpr auto kFinishPollInterval = std::chrono::milliseconds(1);

}  // namespace

// The exporter with these facts, if it is there and not taken yet.
std::unique_ptr<Exporter> Exporters::Take(const Facts& facts) {
  for (Group& group : groups_) {
    for (Entry& entry : group.entries) {
      if (entry.exporter != nullptr && entry.facts == facts) return std::move(entry.exporter);
    }
  }
  return nullptr;
}

absl::Status Exporters::Replace(const std::vector<CollectorGroup>& wanted,
                                const Config::Exporter& config, const Make& make, Duration time) {
  // First all that can fail.
  std::vector<Group> next;
  for (const CollectorGroup& group : wanted) {
    next.push_back({.policy = group.policy});
    for (const CollectorConfig& collector : group.collectors) {
      Entry entry{.facts = Facts{collector, config},
                  .place = HashOf(collector.endpoints.front().url)};
      const bool there = std::ranges::any_of(groups_, [&](const Group& old) {
        return std::ranges::any_of(old.entries,
                                   [&](const Entry& e) { return e.facts == entry.facts; });
      });
      if (!there) {
        auto made = make(*entry.facts);
        if (!made.ok()) return made.status();
        entry.exporter = *std::move(made);
      }
      next.back().entries.push_back(std::move(entry));
    }
  }
  for (Group& group : next) {
    for (Entry& entry : group.entries) {
      if (entry.exporter == nullptr) entry.exporter = Take(*entry.facts);
    }
    // The same wanted twice, which CheckCollectors refuses.
    std::erase_if(group.entries, [](const Entry& entry) { return entry.exporter == nullptr; });
  }
  for (Group& group : groups_) {
    for (Entry& entry : group.entries) {
      if (entry.exporter == nullptr) continue;
      if (!entry.facts.has_value()) {
        next.push_back({});
        next.back().entries.push_back(std::move(entry));
        continue;
      }
      entry.exporter->Finish(Moment::clock::now() + time, metering_);
      retired_.push_back(std::move(entry.exporter));
    }
  }
  groups_ = std::move(next);
  return absl::OkStatus();
}

void Exporters::Add(std::unique_ptr<Exporter> exporter) {
  groups_.push_back({});
  groups_.back().entries.push_back({.exporter = std::move(exporter)});
}

void Exporters::Export(const SessionRecord& record, Moment now) {
  for (const Group& group : groups_) {
    if (group.policy == CollectorGroup::Policy::kHash) {
      const uint64_t session = HashOf(record.session);
      std::ranges::max_element(group.entries, {}, [session](const Entry& entry) {
        return Affinity(session, entry.place);
      })->exporter->Export(record, now);
      continue;
    }
    for (const Entry& entry : group.entries) entry.exporter->Export(record, now);
  }
}

bool Exporters::HasRoom() const {
  for (const Exporter* exporter : list()) {
    if (!exporter->has_room()) return false;
  }
  return true;
}

Exporters::Moment Exporters::NextDeadline(Moment now) const {
  Moment next = retired_.empty() ? Moment::max() : now + kRetiredPollInterval;
  for (const Group& group : groups_) {
    for (const Entry& entry : group.entries) next = std::min(next, entry.exporter->NextDeadline());
  }
  return next;
}

void Exporters::OnTime(Moment now) {
  for (const Group& group : groups_) {
    for (const Entry& entry : group.entries) entry.exporter->OnTime(now, metering_);
  }
  std::erase_if(retired_, [](const std::unique_ptr<Exporter>& exporter) {
    if (!exporter->finished()) return false;
    const delivery::DeliveryStats stats = exporter->stats();
    spdlog::info("{}: ended as it was configured before; exported {} records, lost {}",
                 exporter->name(), stats.records, stats.lost_records);
    return true;
  });
}

void Exporters::Finish(Duration time) {
  const Moment deadline = Moment::clock::now() + time;
  for (const Group& group : groups_) {
    for (const Entry& entry : group.entries) entry.exporter->Finish(deadline, metering_);
  }
  const auto wait = [](const Exporter& exporter) {
    while (!exporter.finished()) std::this_thread::sleep_for(kFinishPollInterval);
  };
  for (const Exporter* exporter : list()) wait(*exporter);
  for (const auto& exporter : retired_) wait(*exporter);
}

std::vector<Exporter*> Exporters::list() const {
  std::vector<Exporter*> exporters;
  for (const Group& group : groups_) {
    for (const Entry& entry : group.entries) exporters.push_back(entry.exporter.get());
  }
  return exporters;
}

}  // namespace sockflow
