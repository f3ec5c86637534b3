// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "fmt/format.h"
#include "source/pcap/handshake_tracker.h"

namespace sockflow::pcap::testing {

// What must hold of all that a tracker tells, whatever the segments are. The first fault is kept.
class TrackerInvariants {
 public:
  void OnEvent(const SessionEvent& event) {
    const bool close = event.kind == SessionEvent::Kind::kClose;
    const auto [known, fresh] = ended_.try_emplace(event.id, false);
    if (event.announced != close) Fault("announced", event);
    if (event.at < event.started) Fault("it happened before its start", event);
    if (event.established && *event.established < event.started) {
      Fault("established before its start", event);
    }
    if (!close) {
      ++starts_;
      if (!fresh) Fault("a second start", event);
      if (event.kind == SessionEvent::Kind::kEstablished && !event.established) {
        Fault("not established", event);
      }
      return;
    }
    ++ends_;
    if (fresh) Fault("an end without a start", event);
    if (known->second) Fault("a second end", event);
    known->second = true;
    if (event.end_cause == EndCause::kNone) Fault("no cause", event);
    if (event.last_state == TcpState::kUnknown) Fault("no state", event);
  }

  // After Finish.
  void OnFinished(const HandshakeTracker& tracker, uint64_t segments) {
    const HandshakeTracker::Stats& stats = tracker.stats();
    if (tracker.size() != 0) Fault(fmt::format("{} are open", tracker.size()));
    if (tracker.NextDeadline() != Time::max()) Fault("something waits");
    if (starts_ != ends_) Fault(fmt::format("{} starts, {} ends", starts_, ends_));
    if (stats.segments != segments) Fault("segments are not all counted");
    if (starts_ > 2 * stats.sessions) Fault("more starts than ends of sessions");
    if (stats.half_open + stats.evicted > stats.sessions) Fault("more losses than sessions");
  }
  void Fault(std::string what) {
    if (fault_.empty()) fault_ = std::move(what);
  }

  uint64_t starts() const { return starts_; }
  const std::string& fault() const { return fault_; }

 private:
  void Fault(std::string_view what, const SessionEvent& event) {
    Fault(fmt::format("session {}: {}", event.id, what));
  }

  std::map<SessionId, bool> ended_;
  uint64_t starts_ = 0;
  uint64_t ends_ = 0;
  std::string fault_;
};

}  // namespace sockflow::pcap::testing
