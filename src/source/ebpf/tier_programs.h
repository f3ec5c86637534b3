// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sockflow/event_source.h"

struct btf;

namespace sockflow {

// The programs (functions in bpf/hooks) that make up a tier.
struct TierPrograms {
  std::vector<std::string> required;  // in the order in which they are attached
  std::vector<std::string> optional;  // attached if the kernel lets us
  // All programs get typed pointers, so socket storage is theirs to use (kernel permitting).
  bool typed = true;
  bool has_accept_hook = true;
};

// `kernel_btf` is the running kernel's.
absl::StatusOr<TierPrograms> ProgramsOf(Tier tier, const btf* kernel_btf);

}  // namespace sockflow
