// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sockflow/ipfix/layout.h"
#include "sockflow/ipfix/message.h"
#include "sockflow/time.h"

// What an exporter tells of itself: options records (RFC 7011 3.4.2.2, 4; RFC 5610).
namespace sockflow::ipfix {

struct ExporterIdentity {
  uint32_t observation_domain = 1;
  // exportingProcessId and meteringProcessId: the agent's pid.
  uint32_t process_id = 0;
  // observationDomainName (300): the host's name unless configured; empty: no such record.
  std::string domain_name;
};

// RFC 7011 4.3, with the counters of 4.1: what one exporter sent to one collector, and what it could
// not send.
struct ExportingStatistics {
  uint64_t messages = 0;
  uint64_t octets = 0;
  uint64_t records = 0;           // flow records in them
  uint64_t not_sent_records = 0;  // notSentFlowTotalCount
  uint64_t not_sent_packets = 0;  // of the flows in those, as far as they were counted
  uint64_t not_sent_octets = 0;
  std::optional<Time> first_not_sent;  // unless set, equal to the time of the record
  std::optional<Time> last_not_sent;
};

// Why the metering process did not see something: a counter that only grows.
struct MeteringLoss {
  std::string_view reason;  // "ring_buffer_full_start", ...
  uint64_t count = 0;
};

// RFC 7011 4.2.
struct MeteringStatistics {
  std::span<const MeteringLoss> losses;
  std::optional<Time> first_loss;  // unless set, equal to the time of the record
  std::optional<Time> last_loss;
};

struct MessageLimits {
  size_t max_message_octets = 1400;
};

// What a transport session begins with, and UDP is sent again periodically: one type record (RFC 5610)
// for each enterprise element in use, the templates of the layout, the options templates, and the
// domain's name. In this order, because libfixbuf reads a template with the types that it knows then.
// Export time and sequence are not filled in. Empty for a layout whose templates stand in each message.
std::vector<Message> MakePreamble(const Layout& layout, const ExporterIdentity& identity,
                                  const MessageLimits& limits);

// The statistics as data records of the options templates in the preamble: those of the exporting
// process in domain 0, those of the metering process in the observation domain. The sum of the losses
// goes out always, each reason only if the layout has elements of our own (Layout::pen). Empty if the
// preamble is.
std::vector<Message> MakeStatistics(const Layout& layout, const ExporterIdentity& identity,
                                    const ExportingStatistics& exporting,
                                    const MeteringStatistics& metering, Time now,
                                    const MessageLimits& limits);

}  // namespace sockflow::ipfix
