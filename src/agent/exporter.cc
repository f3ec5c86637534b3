// SPDX-License-Identifier: MIT
#include "agent/exporter.h"

#include <utility>

namespace sockflow {
namespace {

// The courier fills in when a message leaves.
constexpr Time kNoTime{};

ipfix::Message Finished(ipfix::MessageEncoder& encoder) {
  const auto records = static_cast<uint32_t>(encoder.records());
  const std::span<const uint8_t> octets = encoder.Finish(kNoTime);
  return {.octets = {octets.begin(), octets.end()}, .records = records};
}

}  // namespace

delivery::Preamble Exporter::PreambleOf(const Options& options) {
  delivery::Preamble preamble;
  ipfix::MessageEncoder encoder(options.encoder);
  for (const ipfix::Template& description : ipfix::TemplatesOf(options.profile)) {
    if (encoder.AddTemplate(description)) continue;
    preamble.push_back(Finished(encoder));
    (void)encoder.AddTemplate(description);  // an empty message holds any template
  }
  preamble.push_back(Finished(encoder));
  return preamble;
}

Exporter::Exporter(const Options& options, std::unique_ptr<delivery::Courier> courier)
    : options_(options), courier_(std::move(courier)), encoder_(options.encoder) {}

void Exporter::Export(const SessionRecord& record, Moment now) {
  const ipfix::Template& description = ipfix::TemplateFor(options_.profile, record);
  if (!encoder_.Add(description, record)) {
    HandOver();
    // No record of ours is longer than the smallest message (message_encoder.h).
    (void)encoder_.Add(description, record);
  }
  if (record.kind != SessionRecord::Kind::kStart) {
    flow_packets_ += record.session.initiator_packets();
    flow_octets_ += record.session.initiator_ip_octets();
  }
  if (encoder_.records() == 1) oldest_record_ = now;
  if (options_.interval == Duration::zero() ||
      (options_.encoder.max_records != 0 &&
       encoder_.records() >= options_.encoder.max_records)) {
    HandOver();
  }
}

Exporter::Moment Exporter::NextDeadline() const {
  return encoder_.records() == 0 ? Moment::max() : oldest_record_ + options_.interval;
}

void Exporter::OnTime(Moment now) {
  if (NextDeadline() <= now) HandOver();
}

void Exporter::Finish(Moment deadline) {
  HandOver();
  courier_->Finish(deadline);
}

void Exporter::HandOver() {
  if (encoder_.empty()) return;
  courier_->Put({.message = Finished(encoder_),
                 .flow_packets = std::exchange(flow_packets_, 0),
                 .flow_octets = std::exchange(flow_octets_, 0)});
}

}  // namespace sockflow
