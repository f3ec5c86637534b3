// SPDX-License-Identifier: MIT
#pragma once

#include "tests/e2e/session_maker/truth.h"

namespace sockflow::testing {

inline constexpr uid_t kDaemon = 1, kNobody = 65'534, kUnlisted = 54'321;
inline constexpr Persona kServers[] = {
    {"e2e-httpd", 0}, {"e2e-nginx", kNobody}, {"e2e-db", kDaemon}, {"e2e-cache", kUnlisted}};
inline constexpr Persona kPreforkParent = {"e2e-prefork", 0};
inline constexpr Persona kWorkers[] = {{"e2e-worker-a", kNobody}, {"e2e-worker-b", kDaemon}};

// One session, as its request wants it. False if there is nobody to accept.
bool AcceptAndServe(int listener);

// The bodies of processes that serve until nobody connects any more after `stop`. Each server, and each
// worker, posts `ready` once.
int RunServer(const Persona& persona, Ports* ports, Gate& ready, Gate& stop);
int RunPrefork(Ports* ports, Gate& ready, Gate& stop);

}  // namespace sockflow::testing
