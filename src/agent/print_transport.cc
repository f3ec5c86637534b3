// SPDX-License-Identifier: MIT
#include "agent/print_transport.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "fmt/format.h"

namespace sockflow {

PrintTransport::PrintTransport(collector::Format format)
    : printer_(collector::MakePrinter(format, collector::TextStyleFor(STDOUT_FILENO))),
      decoder_({.reliable_transport = true}) {}

Transport::Result PrintTransport::Send(Messages messages, transport::Waiter&, Clock::time_point) {
  lines_.clear();
  for (const std::span<const uint8_t> message : messages) {
    const absl::Status decoded =
        decoder_.Decode(name_, message, [this](const ipfix::RecordView& record) {
          // What options records tell is for other machines.
          if (record.description.scope_fields == 0) printer_->Print(record, &lines_);
        });
    // Does not happen: it is our own.
    if (!decoded.ok()) return {.outcome = Outcome::kMessageLost, .status = decoded};
  }
  if (fwrite(lines_.data(), 1, lines_.size(), stdout) != lines_.size() || fflush(stdout) != 0) {
    const int error = errno;
    clearerr(stdout);
    return {.outcome = Outcome::kMessageLost,
            .status = absl::UnavailableError(
                fmt::format("cannot write to standard output: {}", strerror(error)))};
  }
  return {.accepted = messages.size()};
}

}  // namespace sockflow
