// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sockflow/event_source.h"
#include "sockflow/ipfix/options_records.h"
#include "sockflow/time.h"

namespace sockflow {

// What the source and the session table lost, by reason, and when that grew.
class Losses {
 public:
  // All that `statistics` says, for another thread.
  static Losses Copy(const ipfix::MeteringStatistics& statistics);

  // `counters`: all there are now, always the same reasons in the same order.
  void Update(std::vector<LossCounter> counters, Time now);

  const std::vector<LossCounter>& counters() const { return counters_; }
  // For IPFIX. Valid until the next call of it or of Update.
  ipfix::MeteringStatistics statistics();

 private:
  std::vector<LossCounter> counters_;
  std::vector<ipfix::MeteringLoss> metering_;  // views of counters_, made by statistics()
  std::optional<Time> first_, last_;
};

// "ring_buffer_full_close 3, table_full 1", those that are not 0.
std::string ListLosses(const std::vector<LossCounter>& losses);

}  // namespace sockflow
