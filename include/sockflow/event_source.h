// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "sockflow/filter_rules.h"
#include "sockflow/loss_counter.h"
#include "sockflow/session_event.h"
#include "sockflow/tier.h"

namespace sockflow {

// What is between the kernel and us. Octets.
struct BufferFill {
  uint64_t size = 0;
  uint64_t used = 0;  // when it was read last, before that
  uint64_t peak = 0;  // most of that, of the last half to one minute
};

struct SourceStats {
  uint64_t events = 0;   // delivered
  uint64_t rescued = 0;  // moments that a first hook missed and a second one saw
  uint64_t filtered = 0;  // sessions that the rules of SetFilter leave out, not told
  uint64_t own = 0;       // sessions of this very process, not told
  std::vector<LossCounter> lost;
  std::vector<LossCounter> set_aside;  // seen and rightly not told: no session of this host, ...
  std::optional<BufferFill> buffer;    // where the source can tell
};

// Where session events come from. Owned and polled by one thread; only Wake() may be called from
// elsewhere.
class EventSource {
 public:
  virtual ~EventSource() = default;

  // Delivers what is there; if there is nothing, waits for at most `wait` first. Returns early
  // when Wake() is called. The event is valid during the call only.
  virtual absl::Status Poll(Duration wait, absl::FunctionRef<void(const SessionEvent&)> deliver) = 0;

  // Makes a Poll that waits, or the next one, return at once. Async-signal-safe.
  virtual void Wake() = 0;

  // Reads the counters, in the kernel too: not for every event.
  virtual SourceStats stats() = 0;

  // Need not tell of sessions that these rules certainly leave out. What has been told of goes on to be told.
  virtual void SetFilter(const FilterRules& /*rules*/) {}

  // The id under which it tells of this very process; 0: not known; nullopt: as the process itself knows it.
  virtual std::optional<uint32_t> own_pid() const { return std::nullopt; }

  // Grows each time that all sessions which go on have been told of (kUpdate, or what told their start)
  // since it grew last. Of a source that tells no updates it stays 0.
  virtual uint64_t rounds() const { return 0; }

  // A file that has been read to its end: nothing more comes.
  virtual bool finished() const { return false; }
  // Nothing is lost if Poll is called later: a file waits for who reads it.
  virtual bool can_wait() const { return false; }

  // The tier and how it hooks in, for people: "tracepoint (tp_btf/inet_sock_set_state, ...)".
  virtual std::string description() const = 0;
};

}  // namespace sockflow
