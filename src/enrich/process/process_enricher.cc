// SPDX-License-Identifier: MIT
#include "enrich/process/process_enricher.h"

namespace sockflow {

void ProcessEnricher::Enrich(Session& session) {
  if (!session.process) return;
  const bool has_user = session.process->uid != kNoUid;
  if (has_user && session.user_name.empty()) session.user_name = user_names_.NameOf(session.process->uid);
  if (session.executable.empty()) session.executable = executables_.PathOf(*session.process);
}

}  // namespace sockflow
