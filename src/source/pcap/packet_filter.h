// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sockflow/ip_address.h"

struct bpf_program;

namespace sockflow::pcap {

// Which packets are wanted.
struct FilterOptions {
  bool every_segment = false;        // else only TCP segments with SYN, FIN or RST
  std::vector<IpAddress> hosts;      // either end is one of these; empty: any
  std::string expression;            // the user's, in libpcap's language; empty: none
};

// Whether libpcap understands this expression. The error (kInvalidArgument) is libpcap's own and says at
// which column what it understands ends.
absl::Status CheckExpression(const std::string& expression);

// The expression for a capture in the kernel, for packets without and with up to two VLAN tags; link types
// that have none get the first part alone.
std::string ExpressionOf(const FilterOptions& options, bool with_vlans);

// The user's expression applied to packets of a file. Needs no privileges.
class PacketFilter {
 public:
  static absl::StatusOr<std::unique_ptr<PacketFilter>> Compile(uint32_t link_type,
                                                               const std::string& expression);
  ~PacketFilter();
  PacketFilter(const PacketFilter&) = delete;
  PacketFilter& operator=(const PacketFilter&) = delete;

  bool Keeps(std::span<const uint8_t> octets, uint32_t length) const;

 private:
  PacketFilter();
  std::unique_ptr<bpf_program> program_;
};

}  // namespace sockflow::pcap
