// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "tests/e2e/session_maker/truth.h"

namespace sockflow::testing {

inline constexpr Persona kTroubled = {"e2e-troubled", 0};

// Sessions that the network or the other end fails, both ends in the calling process, so many of each kind
// one after the other.
void MakeTroubledSessions(size_t rounds);

}  // namespace sockflow::testing
