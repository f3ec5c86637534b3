// SPDX-License-Identifier: MIT
#include "collector/collect.h"

#include <csignal>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_join.h"
#include "collector/collector.h"
#include "collector/stop_signals.h"
#include "spdlog/spdlog.h"

namespace sockflow::collector {
namespace {

int ExitStatusOf(const absl::Status& status) {
  spdlog::error("{}", std::string(status.message()));
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

}  // namespace

int RunCollect(const CollectOptions& options) {
  // A reader that goes away shows as EPIPE where we write.
  std::signal(SIGPIPE, SIG_IGN);
  const absl::StatusOr<std::unique_ptr<Collector>> collector = Collector::Open(options);
  if (!collector.ok()) return ExitStatusOf(collector.status());
  const absl::StatusOr<StopSignals> stop = StopSignals::Open();
  if (!stop.ok()) return ExitStatusOf(stop.status());
  spdlog::info("listening on {}", absl::StrJoin((*collector)->listening(), ", "));
  const absl::Status status = (*collector)->Run(stop->fd());
  spdlog::info("{}", (*collector)->Summary());
  return status.ok() ? 0 : ExitStatusOf(status);
}

}  // namespace sockflow::collector
