// SPDX-License-Identifier: MIT
#include "tests/kernel/unreachable_router.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "tests/kernel/actors.h"

namespace sockflow::testing {
namespace {

constexpr size_t kIpv6Header = 40;
constexpr size_t kSourceV4 = 12, kSourceV6 = 8;
constexpr size_t kIcmpHeader = 8;

bool IsV4(const std::vector<uint8_t>& packet) { return packet[0] >> 4 == 4; }

// RFC 1071.
uint16_t Checksum(const std::vector<uint8_t>& message) {
  uint32_t sum = 0;
  for (size_t i = 0; i < message.size(); ++i) sum += message[i] << (i % 2 == 0 ? 8 : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<uint16_t>(~sum));
}

bool IsSynTo(const std::vector<uint8_t>& packet, uint16_t port) {
  if (packet.size() < kIpv6Header) return false;
  const size_t header = IsV4(packet) ? (packet[0] & 15) * 4 : kIpv6Header;
  if (packet[IsV4(packet) ? 9 : 6] != IPPROTO_TCP || packet.size() < header + sizeof(tcphdr)) return false;
  tcphdr tcp;
  memcpy(&tcp, packet.data() + header, sizeof(tcp));
  return ntohs(tcp.th_dport) == port && (tcp.th_flags & (TH_SYN | TH_ACK)) == TH_SYN;
}

// RFC 792, RFC 4443 3.1: the packet that could not be delivered stands in the message.
void ReportTo(const std::vector<uint8_t>& packet) {
  std::vector<uint8_t> message(kIcmpHeader);
  message.insert(message.end(), packet.begin(), packet.end());
  sockaddr_storage to = {};
  socklen_t length;
  int fd;
  if (IsV4(packet)) {
    message[0] = ICMP_UNREACH;
    message[1] = ICMP_UNREACH_HOST;
    const uint16_t checksum = Checksum(message);
    memcpy(&message[2], &checksum, sizeof(checksum));
    auto& v4 = reinterpret_cast<sockaddr_in&>(to);
    v4.sin_family = AF_INET;
    memcpy(&v4.sin_addr, &packet[kSourceV4], sizeof(v4.sin_addr));
    length = sizeof(v4);
    fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
  } else {
    // The kernel fills in the checksum (RFC 3542 3.1).
    message[0] = ICMP6_DST_UNREACH;
    message[1] = ICMP6_DST_UNREACH_ADDR;
    auto& v6 = reinterpret_cast<sockaddr_in6&>(to);
    v6.sin6_family = AF_INET6;
    memcpy(&v6.sin6_addr, &packet[kSourceV6], sizeof(v6.sin6_addr));
    length = sizeof(v6);
    fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
  }
  Require(fd >= 0, "ICMP socket");
  Require(sendto(fd, message.data(), message.size(), 0, reinterpret_cast<sockaddr*>(&to), length) ==
              static_cast<ssize_t>(message.size()),
          "send ICMP");
  close(fd);
}

}  // namespace

UnreachableRouter::UnreachableRouter()
    : packets_(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
  Require(packets_ >= 0, "packet socket");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex("lo"));
  Require(bind(packets_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "bind to lo");
}

UnreachableRouter::~UnreachableRouter() { close(packets_); }

void UnreachableRouter::Report(uint16_t port) {
  std::vector<uint8_t> packet;
  do {
    pollfd wanted = {.fd = packets_, .events = POLLIN, .revents = 0};
    Require(poll(&wanted, 1, 10'000) == 1, "poll for a SYN");
    packet.resize(2048);
    const ssize_t length = recv(packets_, packet.data(), packet.size(), 0);
    Require(length >= 0, "recv of a packet");
    packet.resize(length);
  } while (!IsSynTo(packet, port));
  ReportTo(packet);
}

}  // namespace sockflow::testing
