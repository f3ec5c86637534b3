// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "agent/pipeline.h"
#include "collector/record_printer.h"
#include "sockflow/config.h"

namespace sockflow {

struct RunOptions {
  Config config;
  std::optional<collector::Format> print;  // each exported record on standard output
  Duration duration{};                     // 0: until a signal
  std::optional<std::string> read;         // a capture file, instead of this host
  // Reads the configuration again; null: there is no file. The error holds one line for each fault.
  std::function<absl::StatusOr<Config>()> reload_config;
};

// Whether what is to be captured can be: kInvalidArgument names the key.
absl::Status CheckCapture(const Config& config);

// Makes the pipeline that the options describe. This is the only place that names concrete sources and
// enrichers; collectors.h names the transports. kInvalidArgument: the options are wrong; any other error: this host, now.
// `status`: where the pipeline tells how it goes; null: nowhere.
absl::StatusOr<std::unique_ptr<Pipeline>> Compose(const RunOptions& options,
                                                  std::shared_ptr<StatusBoard> status);

}  // namespace sockflow
