// SPDX-License-Identifier: MIT
#include "source/open_event_source.h"

#include <initializer_list>

#include "fmt/format.h"
#if SOCKFLOW_EBPF
#include "source/ebpf/ebpf_event_source.h"
#endif

namespace sockflow {
namespace {

absl::StatusOr<std::unique_ptr<EventSource>> OpenTier(Tier tier,
                                                      [[maybe_unused]] const CaptureOptions& options) {
  if (tier == Tier::kPcap) {
    return absl::UnimplementedError("the libpcap path is not built yet: use an eBPF tier");
  }
#if SOCKFLOW_EBPF
  return EbpfEventSource::Open(tier, {.ring_buffer_octets = options.ring_buffer_octets,
                                      .max_hashed_sessions = options.max_sessions / 4});
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
  for (Tier tier : {Tier::kFentry, Tier::kKprobe, Tier::kTracepoint}) {
    auto source = OpenTier(tier, options);
    if (source.ok()) {
      result.source = *std::move(source);
      result.tier = tier;
      return result;
    }
    const std::string reason(source.status().message());
    // A reason that holds for all tiers (privileges, BTF) is said once.
    if (!result.refused.empty() && result.refused.back().second == reason) continue;
    if (!reasons.empty()) reasons += "; ";
    reasons += fmt::format("{}: {}", ToString(tier), reason);
    result.refused.emplace_back(tier, reason);
  }
  if (result.refused.size() == 1) reasons = result.refused.front().second;
  return absl::FailedPreconditionError(
      fmt::format("no capture tier can be used: {}", reasons));
}

}  // namespace sockflow
