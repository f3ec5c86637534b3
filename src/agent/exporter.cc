// SPDX-License-Identifier: MIT
#include "agent/exporter.h"

#include <algorithm>
#include <utility>

#include "spdlog/spdlog.h"

namespace sockflow {
namespace {

// A collector that is away must not fill the log.
constexpr auto kLossLogInterval = std::chrono::minutes(1);

Time Now() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

}  // namespace

Exporter::Exporter(const Options& options, std::unique_ptr<Transport> transport)
    : options_(options), transport_(std::move(transport)), encoder_(options.encoder) {}

void Exporter::Export(const SessionRecord& record, Moment now) {
  if (next_templates_ <= now) SendTemplates(now);
  const ipfix::Template& description = ipfix::TemplateFor(options_.profile, record);
  if (!encoder_.Add(description, record)) {
    Send(now);
    if (!encoder_.Add(description, record)) {
      // Does not happen: no record of ours is longer than the smallest message (message_encoder.h).
      ++stats_.lost_records;
      return;
    }
  }
  if (encoder_.records() == 1) oldest_record_ = now;
  if (options_.interval == Duration::zero() ||
      (options_.encoder.max_records != 0 &&
       encoder_.records() >= options_.encoder.max_records)) {
    Send(now);
  }
}

Exporter::Moment Exporter::NextDeadline() const {
  Moment next = next_templates_;
  if (encoder_.records() != 0) next = std::min(next, oldest_record_ + options_.interval);
  return next;
}

void Exporter::OnTime(Moment now) {
  if (encoder_.records() != 0 && oldest_record_ + options_.interval <= now) Send(now);
  if (next_templates_ <= now) SendTemplates(now);
}

void Exporter::Flush(Moment now) { Send(now); }

void Exporter::SendTemplates(Moment now) {
  Send(now);
  // Before the first message: Send() must not find them due again.
  next_templates_ = transport_->forgets_templates() ? now + options_.template_refresh : Moment::max();
  for (const ipfix::Template& description : ipfix::TemplatesOf(options_.profile)) {
    if (encoder_.AddTemplate(description)) continue;
    Send(now);
    (void)encoder_.AddTemplate(description);  // an empty message holds any template
  }
  Send(now);
  messages_since_templates_ = 0;
}

void Exporter::Send(Moment now) {
  if (encoder_.empty()) return;
  const size_t records = encoder_.records();
  const std::span<const uint8_t> message = encoder_.Finish(Now());
  const absl::Status sent = transport_->Send(message);
  if (sent.ok()) {
    ++stats_.messages;
    stats_.octets += message.size();
    stats_.records += records;
  } else {
    ++stats_.lost_messages;
    stats_.lost_records += records;
    LogLoss(sent, now);
  }
  if (++messages_since_templates_ == options_.template_refresh_packets &&
      transport_->forgets_templates()) {
    next_templates_ = now;
  }
}

void Exporter::LogLoss(const absl::Status& why, Moment now) {
  if (now < next_loss_log_) return;
  next_loss_log_ = now + kLossLogInterval;
  spdlog::warn("{} ({} records lost since the last such line, {} in all)",
               std::string(why.message()), stats_.lost_records - logged_lost_records_,
               stats_.lost_records);
  logged_lost_records_ = stats_.lost_records;
}

}  // namespace sockflow
