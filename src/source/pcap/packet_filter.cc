// SPDX-License-Identifier: MIT
#include "source/pcap/packet_filter.h"

#include <pcap/pcap.h>

#include "absl/cleanup/cleanup.h"
#include "fmt/format.h"

namespace sockflow::pcap {
namespace {

constexpr int kSnapLength = 65535;

// TCP flags of an IPv6 packet without extension headers. Those with one that may come before TCP (RFC 8200
// 4) pass too, and are sorted out afterwards: they are rare, and a search through them is not for the
// kernel.
constexpr std::string_view kIpv6Headers =
    "ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 44 or ip6[6] = 51 or ip6[6] = 60 or ip6[6] = 135";

struct Compiled {
  absl::Status status;
  bpf_program program{};
};

Compiled CompileFor(uint32_t link_type, const std::string& expression) {
  Compiled result;
  pcap_t* const nothing = pcap_open_dead(static_cast<int>(link_type), kSnapLength);
  if (nothing == nullptr) {
    result.status = absl::InternalError("libpcap gives no memory");
    return result;
  }
  const absl::Cleanup close = [nothing] { pcap_close(nothing); };
  if (pcap_compile(nothing, &result.program, expression.c_str(), /*optimize=*/1,
                   PCAP_NETMASK_UNKNOWN) != 0) {
    result.status = absl::InvalidArgumentError(pcap_geterr(nothing));
  }
  return result;
}

absl::Status Check(const std::string& expression) {
  Compiled compiled = CompileFor(DLT_EN10MB, expression);
  if (compiled.status.ok()) pcap_freecode(&compiled.program);
  return compiled.status;
}

// libpcap does not say where it stopped: the longest beginning of whole words that it takes does.
size_t EndOfSoundPart(const std::string& expression) {
  for (size_t end = expression.size(); end > 0; --end) {
    const bool at_border = end == expression.size() || expression[end] == ' ' ||
                           expression[end] == ')' || expression[end] == '(';
    if (at_border && Check(expression.substr(0, end)).ok()) {
      const size_t next = expression.find_first_not_of(' ', end);
      return next == std::string::npos ? end : next;
    }
  }
  return 0;
}

}  // namespace

absl::Status CheckExpression(const std::string& expression) {
  if (expression.empty()) return absl::OkStatus();
  const absl::Status status = Check(expression);
  if (status.ok()) return status;
  const size_t column = EndOfSoundPart(expression);
  return absl::InvalidArgumentError(fmt::format(
      "{}, at column {}: \"{}\"; allowed is an expression of libpcap (man pcap-filter)",
      std::string(status.message()), column + 1, expression.substr(column)));
}

std::string ExpressionOf(const FilterOptions& options, bool with_vlans) {
  std::string wanted =
      options.every_segment
          ? fmt::format("(tcp or (ip6 and ({})))", kIpv6Headers)
          : fmt::format("((tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0) or "
                        "(ip6 and ((ip6[6] = 6 and ip6[53] & 7 != 0) or {})))",
                        kIpv6Headers);
  if (!options.hosts.empty()) {
    std::string hosts;
    for (const IpAddress& host : options.hosts) {
      hosts += fmt::format("{}host {}", hosts.empty() ? "" : " or ", host.ToString());
    }
    wanted += fmt::format(" and ({})", hosts);
  }
  // First, so that it means what it would mean alone.
  if (!options.expression.empty()) wanted = fmt::format("({}) and {}", options.expression, wanted);
  if (!with_vlans) return wanted;
  // Each "vlan" moves all that follows behind one more tag.
  return fmt::format("({0}) or (vlan and (({0}) or (vlan and ({0}))))", wanted);
}

PacketFilter::PacketFilter() : program_(std::make_unique<bpf_program>()) {}
PacketFilter::~PacketFilter() { pcap_freecode(program_.get()); }

absl::StatusOr<std::unique_ptr<PacketFilter>> PacketFilter::Compile(uint32_t link_type,
                                                                   const std::string& expression) {
  Compiled compiled = CompileFor(link_type, expression);
  if (!compiled.status.ok()) return compiled.status;
  std::unique_ptr<PacketFilter> filter(new PacketFilter());
  *filter->program_ = compiled.program;
  return filter;
}

bool PacketFilter::Keeps(std::span<const uint8_t> octets, uint32_t length) const {
  pcap_pkthdr header{};
  header.caplen = static_cast<bpf_u_int32>(octets.size());
  header.len = length;
  return pcap_offline_filter(program_.get(), &header, octets.data()) != 0;
}

}  // namespace sockflow::pcap
