// SPDX-License-Identifier: MIT
#include "session/session_filter.h"

namespace sockflow {

bool SessionFilter::Keeps(const Session& session) const {
  if (sources && !sources->contains(session.source().address)) return false;
  if (!interface) return true;
  const IpAddress& local = session.local.address;
  return interface->addresses.contains(local) || (interface->is_loopback && local.is_loopback());
}

}  // namespace sockflow
