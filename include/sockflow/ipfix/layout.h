// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "sockflow/ipfix/template.h"
#include "sockflow/session.h"

namespace sockflow::ipfix {

// Which templates a collector is sent, and which of them describes a record. Cheap to copy.
class Layout {
 public:
  // A profile's. Elements of our own go out only under `pen`, the private enterprise number of whoever
  // runs sockflow; 0: not at all.
  static Layout OfProfile(Profile profile, uint32_t pen = 0);

  // One's own: the elements with these names, in this order. What does not belong to a kind of record
  // (the addresses of the other IP version, the process at the other end, counters in a start) is left
  // out of its template. The error (kInvalidArgument) names what is unknown, has no value or is given
  // twice, and the elements with the nearest names.
  static absl::StatusOr<Layout> OfFields(std::span<const std::string> names, uint32_t pen = 0);

  std::span<const SessionTemplate> templates() const;

  // The template of this record; nullptr: the layout has no way to tell of it (IPv6 or an update in
  // profile ssflow, a kind of record none of whose fields were listed).
  const SessionTemplate* For(const SessionRecord& record) const;

  // A reader can tell an update from an end: not in profile ssflow, nor in a list with neither
  // firewallEvent nor flowEndReason. Updates, and ends that count what came since the last of them, would
  // only mislead it.
  bool has_updates() const;

  // The templates stand in every message and nothing else is sent, no options records either
  // (profile ssflow, whose reader keeps no templates); otherwise a transport session begins with
  // them.
  bool templates_in_each_message() const;

  // The number of elements of our own, for records of this layout and the options records beside
  // them: a layout without any enterprise element has 0 whatever is configured, because its reader
  // may not know what to do with one.
  uint32_t pen() const;

  // No string has a variable length, nor must those of options records.
  bool fixed_length() const;

  // "process", ...; "fields" of one's own.
  std::string_view name() const;

 private:
  struct State;
  explicit Layout(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  std::shared_ptr<const State> state_;
};

}  // namespace sockflow::ipfix
