// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "sockflow/ipfix/message_decoder.h"
#include "sockflow/time.h"

namespace sockflow::collector {

// What a line about a session is made of.
enum Part : uint8_t {
  kEvent,
  kSourceAddress,
  kDestinationAddress,
  kSourcePort,
  kDestinationPort,
  kStart,
  kEnd,
  kDirection,
  kSentBySource,
  kSentByDestination,
  kOctetDelta,
  kEndReason,
  kControlBits,
  kPacketsBySource,
  kPreExisting,
  kCloseReason,
  kSocketError,
  kApplicationName,
  kUserName,
  kSourcePid,
  kSourceProcess,
  kSourceUser,
  kSourceUid,
  kDestinationPid,
  kDestinationProcess,
  kDestinationUser,
  kDestinationUid,
  kParts,
};

// Where a template has these parts.
class SessionPlan {
 public:
  SessionPlan() { positions_.fill(-1); }
  explicit SessionPlan(const ipfix::DecodedTemplate& description);

  // The template is about sessions: it has their event, addresses and ports.
  bool is_session() const { return is_session_; }
  bool Has(Part part) const { return positions_[part] >= 0; }
  size_t PositionOf(Part part) const { return static_cast<size_t>(positions_[part]); }

 private:
  bool is_session_ = false;
  std::array<int, kParts> positions_{};  // -1: the template has no such field
};

// The values of one record by their meaning.
class Parts {
 public:
  Parts(const SessionPlan& plan, const ipfix::RecordView& record) : plan_(plan), record_(record) {}

  // Empty if the record does not have it.
  std::span<const uint8_t> At(Part part) const {
    return plan_.Has(part) ? record_.values[plan_.PositionOf(part)] : std::span<const uint8_t>();
  }
  std::optional<uint64_t> Number(Part part) const;
  std::string_view Text(Part part) const;
  std::optional<Time> Moment(Part part) const;
  bool Truth(Part part) const;  // false if the record does not have it

  // True if the process that the record is about is at the destination of the session. Where no
  // process is named (profile iana), ingress means that a local process accepted.
  bool IsLocalDestination() const;

 private:
  const SessionPlan& plan_;
  const ipfix::RecordView& record_;
};

}  // namespace sockflow::collector
