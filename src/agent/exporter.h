// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "sockflow/ipfix/message_encoder.h"
#include "sockflow/ipfix/template.h"
#include "sockflow/session.h"
#include "sockflow/transport.h"

namespace sockflow {

// One collector: makes IPFIX messages of records and hands them to its transport, templates first and
// again in time. A message leaves when it is full or its oldest record has waited long enough; that
// paces the stream by itself.
class Exporter {
 public:
  // Timers run on a clock that nobody can set.
  using Moment = std::chrono::steady_clock::time_point;

  struct Options {
    ipfix::Profile profile = ipfix::Profile::kProcess;
    ipfix::MessageEncoder::Options encoder;
    Duration interval = std::chrono::seconds(1);  // longest wait of a record; 0: none
    Duration template_refresh = std::chrono::seconds(30);
    uint64_t template_refresh_packets = 0;  // also after so many messages; 0: by time only
  };

  struct Stats {
    uint64_t messages = 0;       // sent, those of templates included
    uint64_t octets = 0;         // in them
    uint64_t records = 0;        // in them
    uint64_t lost_messages = 0;  // refused by the transport
    uint64_t lost_records = 0;   // in them
  };

  Exporter(const Options& options, std::unique_ptr<Transport> transport);

  void Export(const SessionRecord& record, Moment now);

  // When OnTime has something to do.
  Moment NextDeadline() const;
  void OnTime(Moment now);
  // Sends what is there.
  void Flush(Moment now);

  const Stats& stats() const { return stats_; }
  const std::string& name() const { return transport_->name(); }

 private:
  void SendTemplates(Moment now);
  void Send(Moment now);
  void LogLoss(const absl::Status& why, Moment now);

  Options options_;
  std::unique_ptr<Transport> transport_;
  ipfix::MessageEncoder encoder_;
  Stats stats_;
  Moment oldest_record_ = Moment::max();
  Moment next_templates_ = Moment::min();  // at once
  uint64_t messages_since_templates_ = 0;
  Moment next_loss_log_ = Moment::min();
  uint64_t logged_lost_records_ = 0;
};

}  // namespace sockflow
