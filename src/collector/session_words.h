// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sockflow::collector {

// How the text printer says what a session record's numbers mean. The functions that write do so
// at `out`, which has room for kMaxWordOctets, and return the end.

inline constexpr size_t kMaxWordOctets = 24;

// firewallEvent (233): "start", "end", "update", ...; empty for a number that IANA has not given.
std::string_view EventWord(uint64_t firewall_event);

// True if the record is the last of its session.
bool IsEnd(uint64_t firewall_event);

// Why a session ended, from flowEndReason (136) and the union of its tcpControlBits (6): "closed"
// (FIN), "reset" (RST), "refused" (RST, and no segment with ACK: it was never established),
// "failed" (a SYN and nothing else), "timeout", "forced", "evicted", "ended" (nothing more is
// known); "-" while it goes on.
std::string_view ReasonWord(uint64_t firewall_event, uint64_t flow_end_reason,
                            uint64_t tcp_control_bits);

// True for the ends that nobody wished for, in these words or in those of sessionCloseReason.
bool IsTrouble(std::string_view reason);

// "999", "1.2K", "34M", "340G": powers of 1000, at most four columns up to 999T.
char* WriteCount(uint64_t count, char* out);

// "<1ms", "412ms", "1.2s", "2m03s", "1h02m", "3d04h".
char* WriteSpan(uint64_t milliseconds, char* out);

}  // namespace sockflow::collector
