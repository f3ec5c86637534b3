// SPDX-License-Identifier: MIT
#include "agent/exporters.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "spdlog/spdlog.h"

namespace sockflow {
namespace {

constexpr auto kRetiredPollInterval = std::chrono::milliseconds(100);
constexpr auto kFinishPollInterval = std::chrono::milliseconds(1);

}  // namespace

absl::Status Exporters::Replace(const std::vector<Facts>& wanted, const Make& make, Duration time) {
  // First all that can fail.
  std::vector<std::unique_ptr<Exporter>> made(wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    const bool there = std::ranges::any_of(
        entries_, [&](const Entry& entry) { return entry.facts == wanted[i]; });
    if (there) continue;
    auto exporter = make(wanted[i]);
    if (!exporter.ok()) return exporter.status();
    made[i] = *std::move(exporter);
  }
  std::vector<Entry> next;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (made[i] == nullptr) {
      const auto old = std::ranges::find_if(entries_, [&](const Entry& entry) {
        return entry.exporter != nullptr && entry.facts == wanted[i];
      });
      if (old == entries_.end()) continue;  // the same wanted twice
      made[i] = std::move(old->exporter);
    }
    next.push_back({wanted[i], std::move(made[i])});
  }
  for (Entry& entry : entries_) {
    if (entry.exporter == nullptr) continue;
    if (!entry.facts.has_value()) {
      next.push_back(std::move(entry));
      continue;
    }
    entry.exporter->Finish(Moment::clock::now() + time);
    retired_.push_back(std::move(entry.exporter));
  }
  entries_ = std::move(next);
  return absl::OkStatus();
}

void Exporters::Add(std::unique_ptr<Exporter> exporter) {
  entries_.push_back({std::nullopt, std::move(exporter)});
}

void Exporters::Export(const SessionRecord& record, Moment now) {
  for (const Entry& entry : entries_) entry.exporter->Export(record, now);
}

Exporters::Moment Exporters::NextDeadline(Moment now) const {
  Moment next = retired_.empty() ? Moment::max() : now + kRetiredPollInterval;
  for (const Entry& entry : entries_) next = std::min(next, entry.exporter->NextDeadline());
  return next;
}

void Exporters::OnTime(Moment now) {
  for (const Entry& entry : entries_) entry.exporter->OnTime(now);
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
  for (const Entry& entry : entries_) entry.exporter->Finish(deadline);
  const auto wait = [](const Exporter& exporter) {
    while (!exporter.finished()) std::this_thread::sleep_for(kFinishPollInterval);
  };
  for (const Entry& entry : entries_) wait(*entry.exporter);
  for (const auto& exporter : retired_) wait(*exporter);
}

std::vector<const Exporter*> Exporters::list() const {
  std::vector<const Exporter*> exporters;
  for (const Entry& entry : entries_) exporters.push_back(entry.exporter.get());
  return exporters;
}

}  // namespace sockflow
