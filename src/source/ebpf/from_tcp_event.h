// SPDX-License-Identifier: MIT
#pragma once

#include "source/wall_clock.h"
#include "sockflow/session_event.h"
#include "tcp_event.h"

namespace sockflow {

// The kernel half's event in the program's own terms.
SessionEvent FromTcpEvent(const tcp_event& event, const WallClock& clock);

}  // namespace sockflow
