// SPDX-License-Identifier: MIT
#include "agent/run.h"

#include <csignal>

#include "agent/signals.h"
#include "agent/status_pages.h"
#include "spdlog/spdlog.h"

namespace sockflow {

int RunAgent(const RunOptions& options) {
  // A reader of --print that goes away is an error of that output, not the end of the agent.
  std::signal(SIGPIPE, SIG_IGN);
  // A limit of the size of files (ulimit -f) is an error of the write, too.
  std::signal(SIGXFSZ, SIG_IGN);
  BlockSignals();  // before name look-ups start threads
  const auto board = std::make_shared<StatusBoard>();
  // Before anything is captured: an address that is in use is the sign of a second agent. What is read from
  // a file is over soon, and must not be in the way of the agent that watches this host.
  const auto server = ServeStatus(options.read ? Config::Metrics() : options.config.metrics, board);
  if (!server.ok()) {
    spdlog::error("{}", std::string(server.status().message()));
    return kExitFailed;
  }
  if (*server != nullptr) {
    spdlog::info("metrics: http://{}/metrics, with /healthz and /readyz", (*server)->name());
  }
  auto pipeline = Compose(options, board);
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
