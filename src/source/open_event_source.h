// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "sockflow/event_source.h"
#include "sockflow/filter_rules.h"
#include "sockflow/ip_address.h"

namespace sockflow {

struct CaptureOptions {
  std::optional<Tier> tier;  // nullopt: the best that can be used
  size_t ring_buffer_octets = 4 << 20;
  size_t max_sessions = 262'144;
  bool existing = true;       // sessions that are older than the source, too
  Duration active_timeout{};  // after which a session that goes on is told of; 0: never
  size_t command_line_octets = 0;  // most that is told of a process's command line; 0: none
  FilterRules rules;               // what they certainly leave out need not be told

  // Of the tier pcap, and of files.
  std::vector<std::string> interfaces;  // empty: all
  std::vector<IpAddress> hosts;         // either end is one of these; empty: any
  std::string filter;                   // in libpcap's language; empty: none
  bool count_packets = false;           // look at every packet, not only at SYN, FIN and RST
  bool forwarded = false;               // sessions between other hosts, too
};

struct OpenedSource {
  std::unique_ptr<EventSource> source;
  Tier tier;
  // The better tiers and why they are not used, a sentence each.
  std::vector<std::pair<Tier, std::string>> refused;
};

// Opens the capture tier that is asked for, or the best one that attaches. (Loading is not enough:
// arm64 before 6.0 loads fentry programs and then cannot attach them.)
absl::StatusOr<OpenedSource> OpenEventSource(const CaptureOptions& options);

// Opens a capture file.
absl::StatusOr<std::unique_ptr<EventSource>> OpenFileSource(const std::string& path,
                                                            const CaptureOptions& options);

// Whether libpcap understands this expression (kInvalidArgument). OK where there is no libpcap.
absl::Status CheckPacketFilter(const std::string& expression);

}  // namespace sockflow
