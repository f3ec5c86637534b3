// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sockflow/event_source.h"

struct btf;

namespace sockflow {

// The programs (functions in bpf/hooks) that make up a tier.
struct TierPrograms {
  // In the order in which they are attached: what sees ends goes first, or a session that lived while they
  // were attached would be told to begin only.
  std::vector<std::string> required;
  std::vector<std::string> optional;  // attached if the kernel lets us
  // Walks over sockets: those that are older than the agent, in this order...
  static constexpr std::array<const char*, 2> kFindExisting = {"iter__task_file", "iter__tcp"};
  // ... and those that are remembered, in socket storage or in the hash.
  static constexpr const char* kWalkStorage = "iter__bpf_sk_storage_map";
  static constexpr const char* kWalkHash = "iter__bpf_map_elem";
  // All programs get typed pointers, so socket storage is theirs to use (kernel permitting).
  bool typed = true;
  bool has_accept_hook = true;
};

// `kernel_btf` is the running kernel's.
absl::StatusOr<TierPrograms> ProgramsOf(Tier tier, const btf* kernel_btf);

}  // namespace sockflow
