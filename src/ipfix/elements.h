// SPDX-License-Identifier: MIT
#pragma once

// THE registry of information elements. One line here, and the encoder can export the element, the
// decoder knows its name and type, and `sockflow fields` lists it. Lines are ordered by enterprise
// number and id, which the compiler checks (element_table.h).

#include <array>

#include "sockflow/ipfix/element.h"

namespace sockflow::ipfix {

// clang-format off
inline constexpr auto kElementLines = std::to_array<Element>({
#include "ipfix/elements_iana.inc"

// ntop (PEN 35632), names and lengths as in nProbe's list of flow information elements and as
// Wireshark shows them. SRC_ fields describe the process at the source of the flow, the initiator;
// DST_ fields that at its destination. IN is source to destination, OUT the way back.
{kNtop, 109, "RETRANSMITTED_IN_PKTS", Type::kUnsigned32, Semantics::kDeltaCounter, "packets"},
{kNtop, 110, "RETRANSMITTED_OUT_PKTS", Type::kUnsigned32, Semantics::kDeltaCounter, "packets"},
// Half the round-trip time between the observer and the client, the server.
{kNtop, 123, "CLIENT_NW_LATENCY_MS", Type::kUnsigned32, Semantics::kQuantity, "milliseconds"},
{kNtop, 124, "SERVER_NW_LATENCY_MS", Type::kUnsigned32, Semantics::kQuantity, "milliseconds"},
{kNtop, 168, "SRC_PROC_PID", Type::kUnsigned32, Semantics::kIdentifier, ""},
{kNtop, 169, "SRC_PROC_NAME", Type::kString, Semantics::kDefault, ""},
{kNtop, 372, "SRC_PROC_USER_NAME", Type::kString, Semantics::kDefault, ""},
{kNtop, 373, "SRC_FATHER_PROC_PID", Type::kUnsigned32, Semantics::kIdentifier, ""},
{kNtop, 374, "SRC_FATHER_PROC_NAME", Type::kString, Semantics::kDefault, ""},
{kNtop, 375, "DST_PROC_PID", Type::kUnsigned32, Semantics::kIdentifier, ""},
{kNtop, 376, "DST_PROC_NAME", Type::kString, Semantics::kDefault, ""},
{kNtop, 377, "DST_PROC_USER_NAME", Type::kString, Semantics::kDefault, ""},
{kNtop, 378, "DST_FATHER_PROC_PID", Type::kUnsigned32, Semantics::kIdentifier, ""},
{kNtop, 379, "DST_FATHER_PROC_NAME", Type::kString, Semantics::kDefault, ""},
{kNtop, 425, "SRC_PROC_UID", Type::kUnsigned32, Semantics::kIdentifier, ""},
{kNtop, 426, "DST_PROC_UID", Type::kUnsigned32, Semantics::kIdentifier, ""},
// ntop's "package name": what the process was started from. We export the executable's path.
{kNtop, 540, "SRC_PROC_PKG_NAME", Type::kString, Semantics::kDefault, ""},
{kNtop, 541, "DST_PROC_PKG_NAME", Type::kString, Semantics::kDefault, ""},
{kNtop, 556, "SRC_PROC_CMDLINE", Type::kString, Semantics::kDefault, ""},
{kNtop, 557, "DST_PROC_CMDLINE", Type::kString, Semantics::kDefault, ""},
{kNtop, 558, "SRC_PROC_CONTAINER_ID", Type::kString, Semantics::kDefault, ""},
{kNtop, 559, "DST_PROC_CONTAINER_ID", Type::kString, Semantics::kDefault, ""},
});
// clang-format on

}  // namespace sockflow::ipfix
