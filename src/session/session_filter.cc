// SPDX-License-Identifier: MIT
#include "session/session_filter.h"

namespace sockflow {

Choice SessionFilter::Choose(const Session& session, CompiledRules::Known known) const {
  if (sources && !sources->contains(session.source().address)) return Choice::kLeftOut;
  if (interface) {
    const IpAddress& local = session.local.address;
    const bool is_its = interface->addresses.contains(local) || (interface->is_loopback && local.is_loopback());
    if (!is_its) return Choice::kLeftOut;
  }
  return rules.Choose(session, known);
}

}  // namespace sockflow
