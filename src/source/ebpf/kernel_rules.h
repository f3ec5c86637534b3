// SPDX-License-Identifier: MIT
#pragma once

#include "filter_rules.h"
#include "sockflow/filter_rules.h"

namespace sockflow {

// What the kernel half can settle of the rules: a session that these leave out, those leave out, too. (Not
// the other way round: it knows ports, uids, direction and loopback, and a few of each.)
filter_rules KernelRulesOf(const FilterRules& rules);

}  // namespace sockflow
