// SPDX-License-Identifier: MIT
#include "agent/run.h"

#include <csignal>

#include "agent/signals.h"
#include "spdlog/spdlog.h"

namespace sockflow {

int RunAgent(const RunOptions& options) {
  // A reader of --print that goes away is an error of that output, not the end of the agent.
  std::signal(SIGPIPE, SIG_IGN);
  // A limit of the size of files (ulimit -f) is an error of the write, too.
  std::signal(SIGXFSZ, SIG_IGN);
  BlockSignals();  // before name look-ups start threads
  auto pipeline = Compose(options);
  if (!pipeline.ok()) {
    spdlog::error("{}", std::string(pipeline.status().message()));
    return absl::IsInvalidArgument(pipeline.status()) ? kExitUsage : kExitFailed;
  }
  const Signals signals(
      [&pipeline] { (*pipeline)->Stop(); },
      options.reload_config ? [&pipeline] { (*pipeline)->Reload(); } : std::function<void()>());
  if (const absl::Status status = (*pipeline)->Run(); !status.ok()) {
    spdlog::error("{}", std::string(status.message()));
    return kExitFailed;
  }
  return kExitOk;
}

}  // namespace sockflow
