// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "delivery/courier.h"
#include "sockflow/config.h"
#include "sockflow/ipfix/layout.h"
#include "sockflow/ipfix/message_encoder.h"
#include "sockflow/ipfix/options_records.h"
#include "sockflow/session.h"

namespace sockflow {

// The encoder of one collector: takes records, gathers them in messages, and hands these to the
// collector's courier when they are full or old enough.
class Exporter {
 public:
  // Of a clock that never goes back.
  using Moment = std::chrono::steady_clock::time_point;
  // What was not seen, asked for when statistics are due; valid until it is asked for again.
  using Metering = absl::FunctionRef<ipfix::MeteringStatistics()>;

  struct Options {
    ipfix::Layout layout = ipfix::Layout::OfProfile(ipfix::Profile::kProcess);
    RecordChoice records;
    // Its domain and pen are taken from the others.
    ipfix::MessageEncoder::Options encoder;
    ipfix::ExporterIdentity identity;
    Duration interval = std::chrono::seconds(1);  // longest wait of a record; 0: none
    Duration statistics_interval{};               // of the options records with statistics; 0: none
  };

  // What each transport session has to begin with.
  static delivery::Preamble PreambleOf(const Options& options);

  Exporter(const Options& options, std::unique_ptr<delivery::Courier> courier);

  void Export(const SessionRecord& record, Moment now);

  // When OnTime has something to do.
  Moment NextDeadline() const;
  void OnTime(Moment now, Metering metering);

  // Hands over what is there, with statistics if there are to be any. Nothing may be exported after it;
  // it is sent until the deadline.
  void Finish(Moment deadline, Metering metering);
  bool finished() const { return courier_->finished(); }

  bool has_room() const { return courier_->has_room(); }

  // Those of the courier; records that the layout cannot tell of are lost for the reason
  // "not_in_profile".
  delivery::DeliveryStats stats() const;
  // What `stats`, of stats(), says of what was sent, as totals that never go down: what a broken session may
  // not have brought is sent again, and does not count until then.
  const ipfix::ExportingStatistics& TotalsOf(const delivery::DeliveryStats& stats);
  const std::string& name() const { return courier_->name(); }

 private:
  bool Wants(SessionRecord::Kind kind) const;
  // Puts the templates into an empty message, for readers that want them in each.
  void BeginMessage();
  void HandOver();
  void HandOverStatistics(const ipfix::MeteringStatistics& metering);

  Options options_;
  // Who gets none is told in the end what the whole session carried.
  bool takes_updates_;
  std::unique_ptr<delivery::Courier> courier_;
  ipfix::MessageEncoder encoder_;
  std::vector<uint8_t> spare_;  // memory for the next message
  Moment oldest_record_ = Moment::max();
  Moment next_statistics_ = Moment::max();
  // Of the flows in the message under construction.
  uint64_t flow_packets_ = 0;
  uint64_t flow_octets_ = 0;
  uint64_t untold_records_ = 0;
  ipfix::ExportingStatistics told_;  // by the last statistics
};

}  // namespace sockflow
