// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "delivery/courier.h"
#include "sockflow/ipfix/message_encoder.h"
#include "sockflow/ipfix/template.h"
#include "sockflow/session.h"

namespace sockflow {

// One collector: makes IPFIX messages of records and hands them to the courier that brings them there.
// A message leaves when it is full or its oldest record has waited long enough.
class Exporter {
 public:
  // Timers run on a clock that nobody can set.
  using Moment = std::chrono::steady_clock::time_point;

  struct Options {
    ipfix::Profile profile = ipfix::Profile::kProcess;
    ipfix::MessageEncoder::Options encoder;
    Duration interval = std::chrono::seconds(1);  // longest wait of a record; 0: none
  };

  // What each transport session has to begin with: the templates, whole messages.
  static delivery::Preamble PreambleOf(const Options& options);

  Exporter(const Options& options, std::unique_ptr<delivery::Courier> courier);

  void Export(const SessionRecord& record, Moment now);

  // When OnTime has something to do.
  Moment NextDeadline() const;
  void OnTime(Moment now);

  // Hands over what is there. Nothing may be exported after it; it is sent until the deadline.
  void Finish(Moment deadline);
  bool finished() const { return courier_->finished(); }

  delivery::DeliveryStats stats() const { return courier_->stats(); }
  const std::string& name() const { return courier_->name(); }

 private:
  void HandOver();

  Options options_;
  std::unique_ptr<delivery::Courier> courier_;
  ipfix::MessageEncoder encoder_;
  Moment oldest_record_ = Moment::max();
  // Of the flows in the message under construction.
  uint64_t flow_packets_ = 0;
  uint64_t flow_octets_ = 0;
};

}  // namespace sockflow
