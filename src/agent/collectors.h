// SPDX-License-Identifier: MIT
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/exporters.h"
#include "collector/record_printer.h"
#include "sockflow/config.h"

namespace sockflow {

// Makes the exporters that the configuration wants. This is the only place that names concrete
// transports. All or nothing: at an error (kInvalidArgument: the configuration is wrong) those that
// there were stay as they were.
absl::Status ReplaceCollectors(const Config& config, Exporters& exporters);

// OK if the transports of all collectors can be made: certificates and keys are there and match. Nothing
// is opened.
absl::Status CheckTransports(const Config& config);

// One that prints each record.
absl::StatusOr<std::unique_ptr<Exporter>> ComposePrinter(const Config& config,
                                                         collector::Format format);

}  // namespace sockflow
