// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

#include "sockflow/session.h"

// Numbers that are the same in every run, on every host and in every version, so that all agents send a
// session to the same collector of a group.
namespace sockflow {

// Of addresses and ports of initiator and responder: start and end, and the agents at both ends, have
// the same.
uint64_t HashOf(const Session& session);
uint64_t HashOf(std::string_view text);

// How much this place is meant for this session: the one with the most gets it (rendezvous hashing).
// When a place comes or goes, only the sessions change theirs that it gets or had.
uint64_t Affinity(uint64_t session, uint64_t place);

}  // namespace sockflow
