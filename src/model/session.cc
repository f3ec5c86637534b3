// SPDX-License-Identifier: MIT
#include "sockflow/session.h"

namespace sockflow {
namespace {

// errno values as the kernel numbers them on Linux, whatever the host that runs this code.
constexpr uint16_t kEpipe = 32;
constexpr uint16_t kEnetunreach = 101;
constexpr uint16_t kEconnreset = 104;
constexpr uint16_t kEtimedout = 110;
constexpr uint16_t kEconnrefused = 111;
constexpr uint16_t kEhostunreach = 113;

}  // namespace

void Session::ForgetEnrichment() {
  for (std::string* fact : {&user_name, &executable, &command_line}) fact->clear();
  container.reset();
  pod.reset();
}

std::string_view ToString(EndCause cause) {
  switch (cause) {
    case EndCause::kNone: return "none";
    case EndCause::kLocalFin: return "local-fin";
    case EndCause::kRemoteFin: return "remote-fin";
    case EndCause::kLocalReset: return "local-reset";
    case EndCause::kRemoteReset: return "remote-reset";
    case EndCause::kRefused: return "refused";
    case EndCause::kTimedOut: return "timed-out";
    case EndCause::kUnreachable: return "unreachable";
    case EndCause::kNotAccepted: return "not-accepted";
    case EndCause::kNotSeen: return "not-seen";
    case EndCause::kCaptureEnded: return "capture-ended";
    case EndCause::kOwnerKilled: return "owner-killed";
  }
  return "none";
}

bool MoreCertain(Attribution first, Attribution second) {
  const auto rank = [](Attribution attribution) {
    switch (attribution) {
      case Attribution::kUnknown: return 0;
      case Attribution::kListener: return 1;
      case Attribution::kHolder: return 2;
      case Attribution::kCaller: return 3;
    }
    return 0;
  };
  return rank(first) > rank(second);
}

EndCause EndCauseOf(const Session& session) {
  return session.end_cause != EndCause::kNone ? session.end_cause : DerivedEndCauseOf(session);
}

EndCause DerivedEndCauseOf(const Session& session) {
  switch (session.tcp.error) {
    case kEconnrefused: return EndCause::kRefused;
    // EPIPE is what a reset means to a socket that has seen the peer's FIN (tcp_reset()).
    case kEconnreset:
    case kEpipe:
      // A SYN_SENT socket that is reset reads ECONNREFUSED above; ECONNRESET in any other state.
      return EndCause::kRemoteReset;
    case kEtimedout: return EndCause::kTimedOut;
    case kEnetunreach:
    case kEhostunreach: return EndCause::kUnreachable;
    default: break;
  }
  if (!session.accepted) return EndCause::kNotAccepted;
  // The state that the socket left for CLOSE says who closed first: a socket whose FIN went out
  // first passes FIN_WAIT1, one that received the peer's first passes CLOSE_WAIT and LAST_ACK. A
  // jump from an open state without an error is our own abort.
  switch (session.last_state) {
    case TcpState::kFinWait1:
    case TcpState::kFinWait2:
    case TcpState::kClosing:
    case TcpState::kTimeWait: return EndCause::kLocalFin;
    case TcpState::kLastAck: return EndCause::kRemoteFin;
    // Not known who was first (the source saw the socket go, not close). The kernel forgets the facts of a
    // connect that failed (tcp_disconnect()).
    case TcpState::kClose:
      if (!session.established && session.tcp.packets_sent == 0) return EndCause::kNotSeen;
      return session.tcp.fin_received ? EndCause::kRemoteFin : EndCause::kLocalReset;
    default: return EndCause::kLocalReset;
  }
}

}  // namespace sockflow
