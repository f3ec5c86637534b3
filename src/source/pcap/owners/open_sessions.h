// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "source/pcap/owner_finder.h"
#include "source/pcap/owners/process_facts.h"
#include "source/pcap/owners/socket_holders.h"
#include "source/pcap/owners/socket_tables.h"

namespace sockflow::pcap {

// All sessions of the host's network namespace, each with the oldest of the processes that hold it, as far
// as pids tell. Which of them were accepted is inferred: from ports that somebody listens on, else from what
// is known of the other end.
absl::StatusOr<std::vector<OpenSession>> FindOpenSessions(SocketTables& tables, const SocketHolders& holders,
                                                          ProcessReader& reader);

}  // namespace sockflow::pcap
