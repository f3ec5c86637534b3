// SPDX-License-Identifier: MIT

// Counts, on its own, what TCP sessions send over the loopback interface of this network namespace.
//
//   wire_watch OUTPUT
//
// Says "ready" when it sees packets, and goes on until its standard input ends. Then one JSON object a
// line for each session that began meanwhile: initiator, initiator_port, responder, responder_port; syn_us,
// answer_us (microseconds since 1970 of the SYN and of the first segment that came back, 0: none); first_end
// (which segment closed it first, "initiator-fin", "responder-rst", ..., or nothing); and for each
// direction [initiator's, responder's]: packets, as a network card would send them, again (those that had
// been sent before), captured (packets as a capture shows them, which may be larger), octets (payload, each
// once), flags.

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "tests/kernel/actors.h"

namespace sockflow::testing {
namespace {

struct End {
  int family = 0;
  std::array<uint8_t, 16> address{};
  uint16_t port = 0;
  auto operator<=>(const End&) const = default;

  std::string text() const {
    char text[INET6_ADDRSTRLEN];
    inet_ntop(family, address.data(), text, sizeof(text));
    return text;
  }
};

struct Segment {
  End from, to;
  uint32_t seq = 0;
  uint32_t payload = 0;
  uint8_t flags = 0;
  uint32_t packets = 1;  // that a network card would send for it
  int64_t us = 0;
};

struct Way {
  uint64_t packets = 0, again = 0, captured = 0, octets = 0;
  uint32_t next = 0;  // sequence number behind all that was sent
  bool begun = false;
  uint8_t flags = 0;
};

struct Session {
  End initiator, responder;
  uint32_t syn = 0;
  int64_t syn_us = 0, answer_us = 0;
  const char* first_end = "";
  Way ways[2];
};

// struct virtio_net_hdr, whose header is none of C++'s.
struct Offload {
  uint8_t flags, gso_type;  // 0: the packet is sent as it is
  uint16_t header_octets, gso_size, checksum_start, checksum_offset;
};
static_assert(sizeof(Offload) == 10);

class Wire {
 public:
  void Take(const Segment& segment) {
    const bool opens = (segment.flags & (TH_SYN | TH_ACK)) == TH_SYN;
    const auto of_initiator = latest_.find({segment.from, segment.to});
    if (opens && (of_initiator == latest_.end() || sessions_[of_initiator->second].syn != segment.seq)) {
      latest_[{segment.from, segment.to}] = sessions_.size();
      sessions_.push_back(
          {.initiator = segment.from, .responder = segment.to, .syn = segment.seq, .syn_us = segment.us});
      Count(sessions_.back(), 0, segment);
      return;
    }
    if (of_initiator != latest_.end()) return Count(sessions_[of_initiator->second], 0, segment);
    const auto of_responder = latest_.find({segment.to, segment.from});
    if (of_responder != latest_.end()) Count(sessions_[of_responder->second], 1, segment);
  }

  void Print(FILE* file) const {
    for (const Session& s : sessions_) {
      fprintf(file,
              "{\"initiator\":\"%s\",\"initiator_port\":%u,\"responder\":\"%s\",\"responder_port\":%u,"
              "\"syn_us\":%lld,\"answer_us\":%lld,\"first_end\":\"%s\"",
              s.initiator.text().c_str(), s.initiator.port, s.responder.text().c_str(), s.responder.port,
              static_cast<long long>(s.syn_us), static_cast<long long>(s.answer_us), s.first_end);
      for (const auto& [name, member] : {std::pair("packets", &Way::packets), {"again", &Way::again},
                                         {"captured", &Way::captured}, {"octets", &Way::octets}}) {
        fprintf(file, ",\"%s\":[%llu,%llu]", name, static_cast<unsigned long long>(s.ways[0].*member),
                static_cast<unsigned long long>(s.ways[1].*member));
      }
      fprintf(file, ",\"flags\":[%u,%u]}\n", s.ways[0].flags, s.ways[1].flags);
    }
  }

 private:
  void Count(Session& session, int way_index, const Segment& segment) {
    Way& way = session.ways[way_index];
    way.packets += segment.packets;
    ++way.captured;
    way.flags |= segment.flags;
    if (way_index == 1 && session.answer_us == 0) session.answer_us = segment.us;
    if ((segment.flags & (TH_FIN | TH_RST)) != 0 && session.first_end[0] == '\0') {
      const bool fin = (segment.flags & TH_FIN) != 0;
      session.first_end = way_index == 0 ? (fin ? "initiator-fin" : "initiator-rst")
                                         : (fin ? "responder-fin" : "responder-rst");
    }
    // SYN and FIN take a number each (RFC 9293 3.4).
    const uint32_t syn = (segment.flags & TH_SYN) != 0 ? 1 : 0, fin = (segment.flags & TH_FIN) != 0 ? 1 : 0;
    const uint32_t length = segment.payload + syn + fin;
    if (length == 0 || (segment.flags & TH_RST) != 0) return;
    if (!way.begun) way.next = segment.seq;
    way.begun = true;
    const auto fresh = static_cast<int32_t>(segment.seq + length - way.next);
    if (fresh <= 0) {
      way.again += segment.packets;
      return;
    }
    // What is sent anew may carry more than before.
    if (static_cast<uint32_t>(fresh) < length) way.again += segment.packets;
    way.octets += std::min<uint32_t>(fresh, length) - syn - fin;
    way.next = segment.seq + length;
  }

  std::vector<Session> sessions_;
  std::map<std::pair<End, End>, size_t> latest_;
};

// False for all but TCP. The packet begins behind the link layer.
bool Parse(const uint8_t* octets, size_t length, Segment& segment) {
  const auto end_at = [](int family, const uint8_t* address, size_t size, const uint8_t* port) {
    End end{.family = family, .port = static_cast<uint16_t>(port[0] << 8 | port[1])};
    std::copy_n(address, size, end.address.begin());
    return end;
  };
  if (length < 40) return false;
  const uint8_t* tcp;
  size_t tcp_octets;
  if (octets[0] >> 4 == 4) {
    if (octets[9] != IPPROTO_TCP) return false;
    const size_t header = (octets[0] & 15) * 4;
    tcp = octets + header;
    tcp_octets = (octets[2] << 8 | octets[3]) - header;
    segment.from = end_at(AF_INET, octets + 12, 4, tcp);
    segment.to = end_at(AF_INET, octets + 16, 4, tcp + 2);
  } else {
    if (octets[6] != IPPROTO_TCP || length < 60) return false;
    tcp = octets + 40;
    tcp_octets = octets[4] << 8 | octets[5];
    segment.from = end_at(AF_INET6, octets + 8, 16, tcp);
    segment.to = end_at(AF_INET6, octets + 24, 16, tcp + 2);
  }
  uint32_t seq;
  std::memcpy(&seq, tcp + 4, sizeof(seq));
  segment.seq = ntohl(seq);
  segment.payload = static_cast<uint32_t>(tcp_octets - (tcp[12] >> 4) * 4);
  segment.flags = tcp[13];
  return true;
}

int OpenLoopback() {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
  Require(fd >= 0, "packet socket");
  const int on = 1, octets = 64 << 20;
  // How a packet that is larger than what a network card sends would be cut.
  Require(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) == 0, "PACKET_VNET_HDR");
  Require(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) == 0, "SO_TIMESTAMPNS");
  Require(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof(octets)) == 0, "SO_RCVBUFFORCE");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex("lo"));
  Require(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "bind to lo");
  return fd;
}

// False if none waits.
bool TakeOne(int fd, Wire& wire) {
  Offload offload{};
  uint8_t octets[256];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(timespec))];
  sockaddr_ll from{};
  iovec places[] = {{&offload, sizeof(offload)}, {octets, sizeof(octets)}};
  msghdr message = {.msg_name = &from,
                    .msg_namelen = sizeof(from),
                    .msg_iov = places,
                    .msg_iovlen = 2,
                    .msg_control = control,
                    .msg_controllen = sizeof(control)};
  const ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT);
  if (length < 0) return false;
  Segment segment;
  const size_t headers = sizeof(offload) + ETH_HLEN;
  // Each packet passes twice, on its way out and in.
  if (from.sll_pkttype != PACKET_OUTGOING || length < static_cast<ssize_t>(headers) ||
      !Parse(octets + ETH_HLEN, length - headers, segment)) {
    return true;
  }
  if (offload.gso_type != 0 && offload.gso_size != 0) {
    segment.packets = (segment.payload + offload.gso_size - 1) / offload.gso_size;
  }
  timespec stamp;
  std::memcpy(&stamp, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(stamp));
  segment.us = int64_t{stamp.tv_sec} * 1'000'000 + stamp.tv_nsec / 1000;
  wire.Take(segment);
  return true;
}

int Run(const char* output) {
  const int packets = OpenLoopback();
  FILE* file = fopen(output, "w");
  Require(file != nullptr, "open the output");
  printf("ready\n");
  fflush(stdout);
  Wire wire;
  pollfd wanted[] = {{.fd = packets, .events = POLLIN, .revents = 0},
                     {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0}};
  while (poll(wanted, 2, -1) >= 0 && wanted[1].revents == 0) {
    while (TakeOne(packets, wire)) {
    }
  }
  while (TakeOne(packets, wire)) {
  }
  tpacket_stats statistics{};
  socklen_t length = sizeof(statistics);
  Require(getsockopt(packets, SOL_PACKET, PACKET_STATISTICS, &statistics, &length) == 0, "PACKET_STATISTICS");
  Require(statistics.tp_drops == 0, "packets were dropped");
  wire.Print(file);
  return fclose(file) == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sockflow::testing

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "Usage: wire_watch OUTPUT\n");
    return 2;
  }
  return sockflow::testing::Run(argv[1]);
}
