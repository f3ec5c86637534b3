// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "tests/kernel/actors.h"

// The ways that sessions go, and what client and server tell each other of them.
namespace sockflow::testing {

enum class Kind : uint8_t {
  kClientCloses,
  kServerCloses,
  kClientResets,
  kServerResets,
  kHalfClose,        // the client shuts down its half first, the reply comes after that
  kServerHalfClose,  // the server does, the client goes on sending
  kSilent,           // connected and closed, no payload
  kUnreadReset,      // the client closes with the reply unread, which makes a RST
  kKilledClient,
  kKilledServer,
  kRefused,
  // Those of troubled.h.
  kLossy,         // packets are lost both ways
  kTimedOut,      // nobody answers the SYN
  kUnanswered,    // the peer vanishes amid the session
  kNotAccepted,   // the listener closes before it accepts
  kSimultaneous,  // both close before they hear of the other
  kNetworkError,  // a router reports that it cannot reach the host
};
inline constexpr std::string_view kKindNames[] = {
    "client_closes", "server_closes", "client_resets", "server_resets", "half_close",
    "server_half_close", "silent", "unread_reset", "killed_client", "killed_server", "refused",
    "lossy", "timed_out", "unanswered", "not_accepted", "simultaneous", "network_error"};

inline constexpr Family kFamilies[] = {Family::kV4, Family::kV6, Family::kV4Mapped};
inline constexpr std::string_view kFamilyNames[] = {"ipv4", "ipv6", "v4mapped"};

using Ports = std::array<uint16_t, std::size(kFamilies)>;

// The first octets of a request say what the server is to do.
struct Request {
  Kind kind;
  bool prefork;
  uint8_t family;
  uint8_t padding = 0;
  uint32_t octets;  // of the request, with this
  uint32_t reply_octets;
};

}  // namespace sockflow::testing
