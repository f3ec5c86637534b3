// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "absl/status/status.h"
#include "sockflow/event_source.h"

namespace sockflow {

// What this kernel and these privileges rule out before anything is tried, each as one sentence with
// its cause and remedy. OK says only that trying makes sense.

// For every eBPF tier: privileges, BTF.
absl::Status CheckEbpfPossible();

// For one tier: kprobes compiled in, lockdown.
absl::Status CheckTierPossible(Tier tier);

// Why loading or attaching a program failed, in words that help: errno is what the kernel said.
std::string ExplainRefusal(Tier tier, int error);

}  // namespace sockflow
