// SPDX-License-Identifier: MIT
#include "session/session_filter.h"

namespace sockflow {

bool SessionFilter::Keeps(const Session& session) const {
  if (source_host && session.source().address != *source_host) return false;
  return !local_addresses || local_addresses->contains(session.local.address);
}

}  // namespace sockflow
