// SPDX-License-Identifier: MIT
#include "source/pcap/owners/connect_join.h"

namespace sockflow::pcap {
namespace {

// Two rings are read one after another, not at one moment: so much later a record can come.
constexpr Duration kDisorder = std::chrono::milliseconds(100);

bool IsUnspecified(const IpAddress& address) {
  for (const uint8_t octet : address.octets()) {
    if (octet != 0) return false;
  }
  return true;
}

// Whether both changes can be of one connect().
bool BelongTogether(const StateChange& begin, const StateChange& answer) {
  return begin.remote == answer.remote &&
         (IsUnspecified(begin.local.address) || begin.local.address == answer.local.address);
}

Connected Join(const ProcessFacts& caller, Time begun, const StateChange& answer, Time answered) {
  return {.ends = {answer.local, answer.remote},
          .caller = caller,
          .begun = begun,
          .answered = answered,
          .established = answer.to == TcpState::kEstablished};
}

}  // namespace

std::optional<Connected> ConnectJoin::Begin(const StateChange& change, const ProcessFacts& caller, Time at) {
  if (const Early* early = early_.Find(change.socket)) {
    const Early answer = *early;
    early_.Erase(change.socket);
    if (answer.at >= at && answer.at - at < kDisorder && BelongTogether(change, answer.change)) {
      return Join(caller, at, answer.change, answer.at);
    }
  }
  pending_.Put(change.socket, {change, caller, at});
  return std::nullopt;
}

std::optional<Connected> ConnectJoin::Answer(const StateChange& change, Time at) {
  const Pending* begin = pending_.Find(change.socket);
  if (begin == nullptr || begin->at > at || !BelongTogether(begin->change, change)) {
    if (begin == nullptr) early_.Put(change.socket, {change, at});
    return std::nullopt;
  }
  const Connected connected = Join(begin->caller, begin->at, change, at);
  pending_.Erase(change.socket);
  return connected;
}

void ConnectJoin::Clear() {
  pending_.Clear();
  early_.Clear();
}

}  // namespace sockflow::pcap
