// SPDX-License-Identifier: MIT
#include "config/key_groups.h"
#include "config/values.h"
#include "sockflow/command_line.h"

namespace sockflow::config {
namespace {

// "auto", then the tiers in their order.
constexpr std::string_view kTierWords[] = {"auto", "fentry", "kprobe", "tracepoint", "pcap"};

std::span<const std::string_view> TierWords() { return kTierWords; }

std::optional<Tier> TierOfWord(size_t word) {
  if (word == 0) return std::nullopt;
  return static_cast<Tier>(word - 1);
}

constexpr Key kKeys[] = {
    {.name = "capture.tier",
     .type = Type::kWord,
     .default_value = "auto",
     .words = TierWords,
     .set = [](Draft& d, const Value& v) { d.config.capture.tier = TierOfWord(v.number); },
     .prose = "How sessions are captured. auto takes the first of the others that works on this\n"
              "kernel, in the order below, and says which. pcap looks at packets, without eBPF."},
    {.name = "capture.ring_buffer_bytes",
     .type = Type::kNumber,
     .default_value = "4194304",
     .min = 65536,
     .max = 1073741824,
     .power_of_two = true,  // and so a multiple of any page size
     .set =
         [](Draft& d, const Value& v) {
           d.config.capture.ring_buffer_bytes = static_cast<uint32_t>(v.number);
         },
     .prose = "Size of the buffer between kernel and agent (in the tier pcap of each interface): a\n"
              "larger one bridges longer bursts."},
    {.name = "capture.max_sessions",
     .type = Type::kNumber,
     .default_value = "262144",
     .min = 1024,
     .max = 16777216,
     .set =
         [](Draft& d, const Value& v) {
           d.config.capture.max_sessions = static_cast<uint32_t>(v.number);
         },
     .prose = "Sessions remembered at once; with more than these open, the oldest are forgotten."},
    {.name = "capture.existing",
     .type = Type::kWord,
     .default_value = "true",
     .words = BooleanWords,
     .set = [](Draft& d, const Value& v) { d.config.capture.existing = v.number != 0; },
     .prose = "true: sessions that are open when the agent starts are exported, too, as if they began\n"
              "then; of what they carried their records count what comes from then on. false: they are\n"
              "left out."},
    {.name = "capture.count_packets",
     .type = Type::kWord,
     .default_value = "false",
     .words = BooleanWords,
     .set = [](Draft& d, const Value& v) { d.config.capture.count_packets = v.number != 0; },
     .prose = "In the tier pcap: true looks at the headers of every TCP packet, for exact counts of\n"
              "packets, at a cost for each. false looks only at packets with SYN, FIN or RST: payload\n"
              "octets are known from sequence numbers (modulo 2^32), packets are not counted."},
    {.name = "capture.forwarded",
     .type = Type::kWord,
     .default_value = "false",
     .words = BooleanWords,
     .set = [](Draft& d, const Value& v) { d.config.capture.forwarded = v.number != 0; },
     .prose = "In the tier pcap: true exports sessions between other hosts too, which pass a router\n"
              "or come from a mirror port (promiscuous mode). They have no process."},
    {.name = "process.command_line",
     .type = Type::kWord,
     .default_value = "false",
     .words = BooleanWords,
     .set = [](Draft& d, const Value& v) { d.config.process.command_line = v.number != 0; },
     .prose = "true looks up what each process was started with, too. Command lines may hold\n"
              "passwords and personal data. They go out where a collector's fields name\n"
              "SRC_PROC_CMDLINE or DST_PROC_CMDLINE."},
    {.name = "process.command_line_max_bytes",
     .type = Type::kNumber,
     .default_value = "256",
     .min = 16,
     .max = kLongestCommandLine,
     .set =
         [](Draft& d, const Value& v) {
           d.config.process.command_line_max_bytes = static_cast<uint32_t>(v.number);
         },
     .prose = "Most that is told of a command line. A longer one is cut and ends with \"...\"."},
};

}  // namespace

std::span<const Key> CaptureKeys() { return kKeys; }

}  // namespace sockflow::config

namespace sockflow {

absl::StatusOr<std::optional<Tier>> ParseTier(std::string_view text) {
  const absl::StatusOr<size_t> word = config::ReadWord(text, config::kTierWords);
  if (!word.ok()) return word.status();
  return config::TierOfWord(*word);
}

}  // namespace sockflow
