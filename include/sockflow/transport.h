// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"

namespace sockflow {

// Carries whole IPFIX messages to one place. Knows nothing of what is in them.
class Transport {
 public:
  virtual ~Transport() = default;

  // Sends one message; never blocks. An error means that this message is lost and says why; the
  // transport stays usable and the next Send tries anew.
  virtual absl::Status Send(std::span<const uint8_t> message) = 0;

  // True if the far side may have missed or forgotten templates at any time, so that they must be
  // sent again periodically (UDP, RFC 7011 8.4).
  virtual bool forgets_templates() const = 0;

  // For log lines: "udp://192.0.2.1:4739".
  virtual const std::string& name() const = 0;
};

}  // namespace sockflow
