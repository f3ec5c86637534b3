// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "collector/record_printer.h"
#include "sockflow/ipfix/message_decoder.h"
#include "sockflow/transport.h"

namespace sockflow {

// `--print`: decodes the agent's own messages and prints them as `sockflow collect` would. What is
// printed is what was exported, and there is one way of formatting a record.
class PrintTransport final : public Transport {
 public:
  explicit PrintTransport(collector::Format format);

  absl::Status Open(transport::Waiter&, Clock::time_point) override { return absl::OkStatus(); }
  Result Send(Messages messages, transport::Waiter& waiter, Clock::time_point deadline) override;
  absl::Status Close(transport::Waiter&, Clock::time_point) override { return absl::OkStatus(); }
  bool forgets_templates() const override { return false; }
  const std::string& name() const override { return name_; }

 private:
  std::string name_ = "standard output";
  std::unique_ptr<collector::RecordPrinter> printer_;
  ipfix::MessageDecoder decoder_;
  std::string lines_;
};

}  // namespace sockflow
