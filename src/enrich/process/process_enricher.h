// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

#include "enrich/process/proc_files.h"
#include "enrich/process/user_names.h"
#include "sockflow/enricher.h"

namespace sockflow {

// User name, executable and command line. What the source knows of the process (Process::detail) is of the
// moment that counts; where it knows nothing, /proc is asked.
class ProcessEnricher final : public Enricher {
 public:
  struct Options {
    std::string proc = "/proc";
    size_t command_line_octets = 0;  // 0: no command lines
  };

  explicit ProcessEnricher(const Options& options)
      : command_lines_(options.command_line_octets > 0),
        files_({.proc = options.proc, .command_line_octets = options.command_line_octets}) {}

  Enriched Enrich(Session& session) override;
  std::vector<LossCounter> missing() const override;
  std::vector<CacheStats> caches() const override;

 private:
  std::string ExecutableOf(const Process& process);
  std::string CommandLineOf(const Process& process, const std::string& executable);

  bool command_lines_;
  UserNames user_names_;
  ProcFiles files_;
};

}  // namespace sockflow
