// SPDX-License-Identifier: MIT
#include "sockflow/tier.h"

namespace sockflow {

std::string_view ToString(Tier tier) {
  switch (tier) {
    case Tier::kFentry: return "fentry";
    case Tier::kKprobe: return "kprobe";
    case Tier::kTracepoint: return "tracepoint";
    case Tier::kPcap: return "pcap";
  }
  return "unknown";
}

}  // namespace sockflow
