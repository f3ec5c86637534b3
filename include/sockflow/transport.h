// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"

namespace sockflow {

namespace transport {
class Waiter;
}

// Carries whole IPFIX messages to one place, in transport sessions (RFC 7011 2) one after the other.
// Knows nothing of what is in the messages. Owned and used by one thread, which may wait: every wait
// goes through the Waiter, so that another thread can end it.
class Transport {
 public:
  using Clock = std::chrono::steady_clock;
  using Messages = std::span<const std::span<const uint8_t>>;

  enum class Outcome : uint8_t {
    kAll,          // all messages were accepted
    kBusy,         // there is no room for the next one before the deadline; it is still the caller's
    kMessageLost,  // the next one is lost, and `status` says why; the session goes on after it
    kSessionOver,  // the next one is still the caller's; `status` says why, OK if that is orderly
                   // (a file has its size, an address has changed)
  };
  struct Result {
    size_t accepted = 0;  // messages, from the first on, that are on their way
    Outcome outcome = Outcome::kAll;
    absl::Status status;
  };

  virtual ~Transport() = default;

  // Begins a transport session: looks the name up, connects, shakes hands, makes the file. The error
  // says what failed, where, and what to do about it; Open may be called again.
  virtual absl::Status Open(transport::Waiter& waiter, Clock::time_point deadline) = 0;

  // Sends messages in order, each whole or not at all. Only within a session. A message that was begun
  // is accepted: the transport keeps its rest and sends that first the next time, for which an empty
  // span of messages serves too. While there is a rest the outcome is kBusy.
  virtual Result Send(Messages messages, transport::Waiter& waiter, Clock::time_point deadline) = 0;

  // How many of the last accepted messages the far side may not have received: what a session that
  // breaks leaves to be sent again. Valid also after kSessionOver, until the next Open. 0 where this
  // cannot be known.
  virtual size_t unconfirmed() { return 0; }

  // Looks after an open session when nothing is sent: takes and forgets what the far side says, sees
  // whether it has gone, looks a name up again. To be called when fd() is readable, at
  // next_check(), and whenever templates are sent again. accepted is 0; outcome is kAll or
  // kSessionOver.
  virtual Result Check() { return {}; }
  // Readable when Check has something to do; -1: none.
  virtual int fd() const { return -1; }
  virtual Clock::time_point next_check() const { return Clock::time_point::max(); }

  // Ends the session in order: what was accepted is sent, a file gets its name. The error says what
  // could not be done in time; the session is over all the same. Does nothing without a session.
  virtual absl::Status Close(transport::Waiter& waiter, Clock::time_point deadline) = 0;

  // True if the far side may have missed or forgotten templates at any time, so that they must be
  // sent again periodically (UDP, RFC 7011 8.4). Such a transport carries one message a datagram.
  virtual bool forgets_templates() const = 0;

  // A session without a message would be of no use (an empty file): begin it when there is one.
  virtual bool opens_on_demand() const { return false; }

  // For log lines: "udp://192.0.2.1:4739".
  virtual const std::string& name() const = 0;
};

}  // namespace sockflow
