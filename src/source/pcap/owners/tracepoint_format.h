// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "source/pcap/owners/kernel_records.h"

namespace sockflow::pcap {

// Where the fields of the tracepoint sock:inet_sock_set_state lie in its records. They moved between
// kernels (`protocol` was one octet up to 5.10), so the kernel's own description is read.
struct SocketStateLayout {
  struct Field {
    uint16_t offset = 0;
    uint16_t size = 0;
  };

  uint32_t id = 0;  // of the tracepoint
  Field socket;     // "skaddr": the address of the socket in the kernel
  Field old_state;
  Field new_state;
  Field local_port;  // host byte order
  Field remote_port;
  Field protocol;
  Field local;  // IPv4-mapped for IPv4
  Field remote;
};

// Reads the text of events/sock/inet_sock_set_state/format. An error names the field that is missing or
// of an unexpected size.
absl::StatusOr<SocketStateLayout> ParseSocketStateFormat(std::string_view text);

// Reads the fields of one record; the rest of `change` is left as it is. False: it is too short.
bool ReadSocketState(const SocketStateLayout& layout, std::span<const uint8_t> record, StateChange& change);

}  // namespace sockflow::pcap
