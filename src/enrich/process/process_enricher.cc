// SPDX-License-Identifier: MIT
#include "enrich/process/process_enricher.h"

#include <string>
#include <string_view>

#include "sockflow/command_line.h"

namespace sockflow {

std::string ProcessEnricher::ExecutableOf(const Process& process) {
  if (process.detail == nullptr) return files_.Of(process).executable;
  const std::string& told = process.detail->executable;
  if (!told.starts_with(kCutMark)) return told;
  // Too long for the source. By now the process may run another program.
  const std::string& whole = files_.Of(process).executable;
  return whole.ends_with(std::string_view(told).substr(kCutMark.size())) ? whole : told;
}

std::string ProcessEnricher::CommandLineOf(const Process& process, const std::string& executable) {
  if (process.detail != nullptr && !process.detail->command_line.empty()) {
    return process.detail->command_line;
  }
  if (executable.empty()) return {};
  const ProcFiles::Facts& facts = files_.Of(process);
  // Not what another program was started with since.
  return facts.executable == executable ? facts.command_line : std::string();
}

Enriched ProcessEnricher::Enrich(Session& session) {
  if (!session.process) return Enriched::kDone;
  const Process& process = *session.process;
  // The name of a user that had none when the session started may be known by now.
  const bool has_name = !session.user_name.empty() && session.user_name != std::to_string(process.uid);
  if (process.uid != kNoUid && !has_name) session.user_name = user_names_.NameOf(process.uid);
  if (session.executable.empty()) session.executable = ExecutableOf(process);
  if (command_lines_ && session.command_line.empty()) {
    session.command_line = CommandLineOf(process, session.executable);
  }
  return Enriched::kDone;
}

std::vector<LossCounter> ProcessEnricher::missing() const {
  return {{"process_not_in_proc", files_.stats().unknown}};
}

std::vector<CacheStats> ProcessEnricher::caches() const {
  const UserNames::Stats& users = user_names_.stats();
  const uint64_t unknown_users = users.asked + users.refused;
  return {{"processes", files_.size(), files_.stats().hits, files_.stats().misses},
          {"users", user_names_.size(), users.lookups - unknown_users, unknown_users}};
}

}  // namespace sockflow
