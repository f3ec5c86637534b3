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
// (FIN), "reset" (RST), "refused" (RST, and never established: the initiator sent one packet alone, or none of
// either side had ACK, which the RST that refuses has with most systems, RFC 9293 3.10.7.1),
// "failed" (a SYN and nothing else), "timeout", "forced", "evicted", "ended" (nothing more is
// known); "-" while it goes on. `initiator_packets` (298): 0 if they are not counted.
std::string_view ReasonWord(uint64_t firewall_event, uint64_t flow_end_reason,
                            uint64_t tcp_control_bits, uint64_t initiator_packets);

// True for the ends that nobody wished for, in these words or in those of sessionCloseReason.
bool IsTrouble(std::string_view reason);

// "999", "1.2K", "34M", "340G": powers of 1000, at most four columns up to 999T.
char* WriteCount(uint64_t count, char* out);

// "<1ms", "412ms", "1.2s", "2m03s", "1h02m", "3d04h".
char* WriteSpan(uint64_t milliseconds, char* out);

}  // namespace sockflow::collector
