// SPDX-License-Identifier: MIT
#include "collector/session_words.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>

#include "collector/time_writer.h"

namespace sockflow::collector {
namespace {

// IANA "firewallEvent (Value 233)".
constexpr uint64_t kFlowDeleted = 2;

// IANA "flowEndReason (Value 136)".
constexpr uint64_t kIdleTimeout = 1;
constexpr uint64_t kForcedEnd = 4;
constexpr uint64_t kLackOfResources = 5;

// RFC 9293 3.1, as tcpControlBits carries them (RFC 9565 3).
constexpr uint64_t kFin = 0x01;
constexpr uint64_t kSyn = 0x02;
constexpr uint64_t kRst = 0x04;
constexpr uint64_t kAck = 0x10;

char* WriteNumber(uint64_t value, char* out) { return std::to_chars(out, out + 20, value).ptr; }

char* WritePair(uint64_t large, char large_unit, uint64_t small, char small_unit, char* out) {
  out = WriteNumber(large, out);
  *out++ = large_unit;
  out = WriteTwoDigits(static_cast<unsigned>(small), out);
  *out++ = small_unit;
  return out;
}

}  // namespace

std::string_view EventWord(uint64_t firewall_event) {
  switch (firewall_event) {
    case 1:
      return "start";
    case kFlowDeleted:
      return "end";
    case 3:
      return "denied";
    case 4:
      return "alert";
    case 5:
      return "update";
    default:
      return "";
  }
}

std::string_view ReasonWord(uint64_t firewall_event, uint64_t flow_end_reason,
                            uint64_t tcp_control_bits, uint64_t initiator_packets) {
  if (firewall_event != kFlowDeleted) return "-";
  switch (flow_end_reason) {
    case kIdleTimeout:
      return "timeout";
    case kLackOfResources:
      return "evicted";
    default:
      break;
  }
  if ((tcp_control_bits & kRst) != 0) {
    return (tcp_control_bits & kAck) != 0 && initiator_packets != 1 ? "reset" : "refused";
  }
  if (flow_end_reason == kForcedEnd) return "forced";
  if ((tcp_control_bits & kFin) != 0) return "closed";
  return (tcp_control_bits & (kSyn | kAck)) == kSyn ? "failed" : "ended";
}

bool IsEnd(uint64_t firewall_event) { return firewall_event == kFlowDeleted; }

bool IsTrouble(std::string_view reason) {
  constexpr std::string_view kTroubles[] = {
      "reset",       "refused",      "failed",    "timeout",     "evicted",     // ours here
      "local-reset", "remote-reset", "timed-out", "unreachable", "not-accepted", "owner-killed"};
  return std::ranges::find(kTroubles, reason) != std::end(kTroubles);
}

char* WriteCount(uint64_t count, char* out) {
  if (count < 1000) return WriteNumber(count, out);
  constexpr std::string_view kUnits = "KMGTPE";
  size_t unit = 0;
  // Down to thousands of the unit before, so that one decimal place is left to round.
  while (count >= 1'000'000 && unit + 1 < kUnits.size()) {
    count /= 1000;
    ++unit;
  }
  uint64_t tenths = (count + 50) / 100;
  if (tenths >= 9995 && unit + 1 < kUnits.size()) {
    tenths = 10;
    ++unit;
  }
  if (tenths < 100) {
    out = WriteNumber(tenths / 10, out);
    *out++ = '.';
    out = WriteNumber(tenths % 10, out);
  } else {
    out = WriteNumber((tenths + 5) / 10, out);
  }
  *out++ = kUnits[unit];
  return out;
}

char* WriteSpan(uint64_t milliseconds, char* out) {
  if (milliseconds == 0) {
    std::memcpy(out, "<1ms", 4);
    return out + 4;
  }
  const uint64_t seconds = milliseconds / 1000;
  if (seconds == 0) {
    out = WriteNumber(milliseconds, out);
    *out++ = 'm';
  } else if (seconds < 60) {
    out = WriteNumber(seconds, out);
    *out++ = '.';
    out = WriteNumber(milliseconds % 1000 / 100, out);
  } else if (seconds < 3600) {
    return WritePair(seconds / 60, 'm', seconds % 60, 's', out);
  } else if (seconds < 86'400) {
    return WritePair(seconds / 3600, 'h', seconds / 60 % 60, 'm', out);
  } else {
    return WritePair(seconds / 86'400, 'd', seconds / 3600 % 24, 'h', out);
  }
  *out++ = 's';
  return out;
}

}  // namespace sockflow::collector
