// SPDX-License-Identifier: MIT
#pragma once

#include "tests/e2e/session_maker/servers.h"

namespace sockflow::testing {

inline constexpr Persona kClients[] = {{"e2e-curl", 0},
                                       {"e2e-browser", kNobody},
                                       {"e2e backup", kDaemon},
                                       {"e2e-b\xC3\xA4tch", kUnlisted},
                                       {"e2e-threads", 0}};

// Memory that all processes share.
struct Board {
  Ports servers[std::size(kServers)];
  Ports prefork;
};

// The body of a client: so many sessions with the servers of the board, at this rate. `refusing`: ports
// that nobody listens on.
int RunClient(size_t client, size_t count, double per_second, const Board& board, const Ports& refusing);

}  // namespace sockflow::testing
