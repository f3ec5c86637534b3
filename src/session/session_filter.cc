// SPDX-License-Identifier: MIT
#include "session/session_filter.h"

namespace sockflow {

bool SessionFilter::Keeps(const Session& session) const {
  if (sources && !sources->contains(session.source().address)) return false;
  return !local_addresses || local_addresses->contains(session.local.address);
}

}  // namespace sockflow
