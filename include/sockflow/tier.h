// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

namespace sockflow {

// How events are captured, best first.
enum class Tier : uint8_t {
  kFentry,      // BPF programs at function entry and exit
  kKprobe,      // the same by kprobes
  kTracepoint,  // one typed tracepoint; accept() is inferred
  kPcap,        // packets
};

// "fentry", "kprobe", "tracepoint", "pcap".
std::string_view ToString(Tier tier);

}  // namespace sockflow
