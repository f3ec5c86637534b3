// SPDX-License-Identifier: MIT
#include "source/open_event_source.h"

#include <initializer_list>

#include "fmt/format.h"
#if SOCKFLOW_EBPF
#include "source/ebpf/ebpf_event_source.h"
#endif
#if SOCKFLOW_PCAP
#include "source/pcap/file_event_source.h"
#include "source/pcap/pcap_event_source.h"
#endif

namespace sockflow {
namespace {

#if SOCKFLOW_PCAP
absl::StatusOr<std::unique_ptr<EventSource>> OpenPcap(const CaptureOptions& options) {
  return pcap::PcapEventSource::Open({.interfaces = options.interfaces,
                                      .filter = {.every_segment = options.count_packets,
                                                 .hosts = options.hosts,
                                                 .expression = options.filter},
                                      .buffer_octets = options.ring_buffer_octets,
                                      .max_sessions = options.max_sessions,
                                      .forwarded = options.forwarded,
                                      .existing = options.existing});
}
#else
absl::Status WithoutPcap() {
  return absl::UnimplementedError("this sockflow was built without libpcap");
}
absl::StatusOr<std::unique_ptr<EventSource>> OpenPcap(const CaptureOptions&) {
  return WithoutPcap();
}
#endif

absl::StatusOr<std::unique_ptr<EventSource>> OpenTier(Tier tier, const CaptureOptions& options) {
  if (tier == Tier::kPcap) return OpenPcap(options);
#if SOCKFLOW_EBPF
  return EbpfEventSource::Open(tier, {.ring_buffer_octets = options.ring_buffer_octets,
                                      .max_hashed_sessions = options.max_sessions / 4,
                                      .existing = options.existing,
                                      .active_timeout = options.active_timeout,
                                      .command_line_octets = options.command_line_octets,
                                      .rules = options.rules,
                                      .leave_out_own = true});
#else
  return absl::UnimplementedError("this sockflow was built without eBPF");
#endif
}

}  // namespace

absl::StatusOr<OpenedSource> OpenEventSource(const CaptureOptions& options) {
  OpenedSource result;
  if (options.tier) {
    auto source = OpenTier(*options.tier, options);
    if (!source.ok()) {
      return absl::Status(source.status().code(),
                          fmt::format("capture tier {}: {}", ToString(*options.tier),
                                      std::string(source.status().message())));
    }
    result.source = *std::move(source);
    result.tier = *options.tier;
    return result;
  }
  std::string reasons;
  for (Tier tier : {Tier::kFentry, Tier::kKprobe, Tier::kTracepoint, Tier::kPcap}) {
    auto source = OpenTier(tier, options);
    if (source.ok()) {
      result.source = *std::move(source);
      result.tier = tier;
      return result;
    }
    const std::string reason(source.status().message());
    // A reason that holds for all eBPF tiers (privileges, BTF) is said once.
    if (!result.refused.empty() && result.refused.back().second == reason) continue;
    if (!reasons.empty()) reasons += "; ";
    reasons += fmt::format("{}: {}", ToString(tier), reason);
    result.refused.emplace_back(tier, reason);
  }
  return absl::FailedPreconditionError(
      fmt::format("no capture tier can be used: {}", reasons));
}

#if SOCKFLOW_PCAP
absl::StatusOr<std::unique_ptr<EventSource>> OpenFileSource(const std::string& path,
                                                            const CaptureOptions& options) {
  return pcap::FileEventSource::Open(
      {.path = path, .expression = options.filter, .max_sessions = options.max_sessions});
}

absl::Status CheckPacketFilter(const std::string& expression) {
  return pcap::CheckExpression(expression);
}
#else
absl::StatusOr<std::unique_ptr<EventSource>> OpenFileSource(const std::string&,
                                                            const CaptureOptions&) {
  return WithoutPcap();
}

absl::Status CheckPacketFilter(const std::string&) { return absl::OkStatus(); }
#endif

}  // namespace sockflow
