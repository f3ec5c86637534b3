// SPDX-License-Identifier: MIT
#include "agent/exporter.h"

#include <algorithm>
#include <utility>

#include "agent/losses.h"
#include "delivery/wall_clock.h"

namespace sockflow {
namespace {

// The courier fills in when a message leaves.
constexpr Time kNoTime{};

// In the memory that is given.
ipfix::Message Finished(ipfix::MessageEncoder& encoder, std::vector<uint8_t> memory) {
  const auto records = static_cast<uint32_t>(encoder.records());
  const std::span<const uint8_t> octets = encoder.Finish(kNoTime);
  memory.assign(octets.begin(), octets.end());
  return {.octets = std::move(memory), .records = records};
}

Exporter::Options Complete(Exporter::Options options) {
  options.encoder.observation_domain = options.identity.observation_domain;
  options.encoder.pen = options.layout.pen();
  return options;
}

delivery::DeliveryStats WithUntold(delivery::DeliveryStats stats, uint64_t untold) {
  if (untold > 0) {
    stats.lost_records += untold;
    stats.lost_by_reason["not_in_profile"] = untold;
  }
  return stats;
}

void RaiseTotals(const delivery::DeliveryStats& stats, ipfix::ExportingStatistics& told) {
  told = {.messages = std::max(told.messages, stats.messages),
          .octets = std::max(told.octets, stats.octets),
          .records = std::max(told.records, stats.records),
          .not_sent_records = stats.lost_records,
          .not_sent_packets = stats.lost_flow_packets,
          .not_sent_octets = stats.lost_flow_octets,
          .first_not_sent = stats.first_loss,
          .last_not_sent = stats.last_loss};
}

std::vector<ipfix::Message> StatisticsOf(const Exporter::Options& options,
                                         const delivery::DeliveryStats& stats,
                                         const ipfix::MeteringStatistics& metering,
                                         ipfix::ExportingStatistics& told) {
  RaiseTotals(stats, told);
  return ipfix::MakeStatistics(options.layout, options.identity, told, metering, WallClockNow(),
                               {options.encoder.max_message_octets});
}

}  // namespace

delivery::Preamble Exporter::PreambleOf(const Options& options) {
  return ipfix::MakePreamble(options.layout, options.identity,
                             {options.encoder.max_message_octets});
}

Exporter::Exporter(const Options& options, std::unique_ptr<delivery::Courier> courier)
    : options_(Complete(options)),
      takes_updates_(options_.records.update && options_.layout.has_updates()),
      courier_(std::move(courier)),
      encoder_(options_.encoder) {
  // A reader that keeps no templates could not read them.
  if (options_.layout.templates_in_each_message()) options_.statistics_interval = {};
  if (options_.statistics_interval > Duration::zero()) {
    next_statistics_ = Moment::clock::now() + options_.statistics_interval;
  }
}

void Exporter::BeginMessage() {
  if (!encoder_.empty() || !options_.layout.templates_in_each_message()) return;
  // None of our layouts that does so has more than the smallest message takes.
  for (const ipfix::Template& each : options_.layout.templates()) (void)encoder_.AddTemplate(each);
}

bool Exporter::Wants(SessionRecord::Kind kind) const {
  switch (kind) {
    case SessionRecord::Kind::kStart: return options_.records.start;
    case SessionRecord::Kind::kUpdate: return takes_updates_;
    case SessionRecord::Kind::kEnd: return options_.records.end;
  }
  return false;
}

void Exporter::Export(const SessionRecord& record, Moment now) {
  if (!Wants(record.kind)) return;
  const SessionRecord told{record.kind, record.session,
                           takes_updates_ ? record.since : record.session.before};
  const ipfix::SessionTemplate* const description = options_.layout.For(told);
  if (description == nullptr) {
    ++untold_records_;
    return;
  }
  BeginMessage();
  if (!encoder_.Add(*description, told)) {
    HandOver();
    BeginMessage();
    // No record of ours is longer than the smallest message (message_encoder.h).
    (void)encoder_.AddAgain(*description, told);
  }
  if (told.kind != SessionRecord::Kind::kStart) {
    flow_packets_ += told.initiator_packets();
    flow_octets_ += told.initiator_ip_octets();
  }
  if (encoder_.records() == 1) oldest_record_ = now;
  if (options_.interval == Duration::zero() ||
      encoder_.records() == options_.encoder.max_records) {
    HandOver();
  }
}

Exporter::Moment Exporter::NextDeadline() const {
  const Moment records =
      encoder_.records() == 0 ? Moment::max() : oldest_record_ + options_.interval;
  return std::min(records, next_statistics_);
}

void Exporter::OnTime(Moment now, Metering metering) {
  if (encoder_.records() != 0 && oldest_record_ + options_.interval <= now) HandOver();
  if (next_statistics_ > now) return;
  HandOverStatistics(metering());
  next_statistics_ = now + options_.statistics_interval;
}

void Exporter::Finish(Moment deadline, Metering metering) {
  HandOver();
  if (options_.statistics_interval == Duration::zero()) return courier_->Finish(deadline);
  courier_->Finish(deadline, [options = options_, untold = untold_records_, told = told_,
                              lost = Losses::Copy(metering())](
                                 const delivery::DeliveryStats& stats) mutable {
    return StatisticsOf(options, WithUntold(stats, untold), lost.statistics(), told);
  });
}

delivery::DeliveryStats Exporter::stats() const {
  return WithUntold(courier_->stats(), untold_records_);
}

const ipfix::ExportingStatistics& Exporter::TotalsOf(const delivery::DeliveryStats& stats) {
  RaiseTotals(stats, told_);
  return told_;
}

void Exporter::HandOver() {
  if (encoder_.empty()) return;
  spare_ = courier_->Put({.message = Finished(encoder_, std::move(spare_)),
                          .flow_packets = std::exchange(flow_packets_, 0),
                          .flow_octets = std::exchange(flow_octets_, 0)});
}

void Exporter::HandOverStatistics(const ipfix::MeteringStatistics& metering) {
  for (ipfix::Message& message : StatisticsOf(options_, stats(), metering, told_)) {
    courier_->Put({.message = std::move(message), .kind = delivery::Cargo::Kind::kStatistics});
  }
}

}  // namespace sockflow
