// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "sockflow/session_table.h"

namespace sockflow {

inline constexpr Time kBegin{std::chrono::hours(24 * 365 * 50)};

// A log of what was emitted, as "start 1 curl", "end 1 curl".
class SessionTableTest : public ::testing::Test {
 protected:
  using Kind = SessionEvent::Kind;

  void Apply(SessionTable& table, const SessionEvent& event) { table.Apply(event, Emit()); }

  std::function<void(Session&, SessionRecord::Kind)> Emit() {
    return [this](Session& session, SessionRecord::Kind kind) {
      std::string line = kind == SessionRecord::Kind::kStart    ? "start "
                         : kind == SessionRecord::Kind::kUpdate ? "update "
                                                                : "end ";
      line += std::to_string(session.id) + " ";
      line += session.process ? std::string(session.process->name.view()) : "?";
      log_.push_back(line);
      sessions_.push_back(session);
    };
  }

  static SessionEvent Event(Kind kind, SessionId id, const char* owner, Time at = kBegin) {
    SessionEvent event{.kind = kind, .id = id, .at = at, .started = kBegin};
    event.direction = kind == Kind::kConnect ? Direction::kActive : Direction::kPassive;
    if (owner != nullptr) {
      event.process = Process{.pid = 7, .name = TaskName(owner)};
      event.attribution =
          kind == Kind::kEstablished ? Attribution::kListener : Attribution::kCaller;
    }
    if (kind == Kind::kClose) event.announced = true;
    event.established = kBegin;
    return event;
  }

  std::vector<std::string> Drain() { return std::exchange(log_, {}); }

  std::vector<std::string> log_;
  std::vector<Session> sessions_;
};

}  // namespace sockflow
