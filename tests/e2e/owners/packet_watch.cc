// SPDX-License-Identifier: MIT
#include "tests/e2e/owners/packet_watch.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "tests/kernel/actors.h"

namespace sockflow::testing {
namespace {

Duration Read(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

// Adds what this thread computes while it exists.
class Meter {
 public:
  explicit Meter(Duration& sum) : sum_(sum), begin_(Read(CLOCK_THREAD_CPUTIME_ID)) {}
  ~Meter() { sum_ += Read(CLOCK_THREAD_CPUTIME_ID) - begin_; }

 private:
  Duration& sum_;
  Duration begin_;
};

}  // namespace

Time Now() { return Time(Read(CLOCK_REALTIME)); }

struct PacketWatch::Packet {
  Endpoint from, to;
  uint8_t flags = 0;
  Time at{};
};

namespace {

// An IP packet on the loopback interface, behind its 14 octets of link layer.
template <typename P>
bool Parse(const uint8_t* octets, size_t length, P& packet) {
  if (length < ETH_HLEN + sizeof(ip) + sizeof(tcphdr)) return false;
  const uint8_t* const end = octets + length;
  octets += ETH_HLEN;
  if (octets[0] >> 4 == 4) {
    if (octets[9] != IPPROTO_TCP) return false;
    packet.from.address = IpAddress::V4(std::span<const uint8_t, 4>(octets + 12, 4));
    packet.to.address = IpAddress::V4(std::span<const uint8_t, 4>(octets + 16, 4));
    octets += (octets[0] & 15) * 4;
  } else {
    if (length < ETH_HLEN + sizeof(ip6_hdr) + sizeof(tcphdr) || octets[6] != IPPROTO_TCP) return false;
    packet.from.address = IpAddress::V6(std::span<const uint8_t, 16>(octets + 8, 16));
    packet.to.address = IpAddress::V6(std::span<const uint8_t, 16>(octets + 24, 16));
    octets += sizeof(ip6_hdr);
  }
  tcphdr tcp;
  if (end - octets < static_cast<ptrdiff_t>(sizeof(tcp))) return false;
  std::memcpy(&tcp, octets, sizeof(tcp));
  packet.from.port = ntohs(tcp.th_sport);
  packet.to.port = ntohs(tcp.th_dport);
  packet.flags = tcp.th_flags;
  return true;
}

}  // namespace

PacketWatch::PacketWatch(const pcap::OwnerFinderOptions& options) : finder_(pcap::OpenOwnerFinder(options)) {
  socket_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
  Require(socket_ >= 0, "packet socket");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex("lo"));
  Require(bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "bind to lo");
  const int on = 1;
  Require(setsockopt(socket_, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) == 0, "SO_TIMESTAMPNS");
  const int octets = 32 << 20;
  setsockopt(socket_, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof(octets));
}

PacketWatch::~PacketWatch() { close(socket_); }

bool PacketWatch::Step(int timeout_ms) {
  std::vector<pollfd> ready = {{.fd = socket_, .events = POLLIN}};
  for (const int fd : finder_->descriptors()) ready.push_back({.fd = fd, .events = POLLIN});
  const Time deadline = finder_->NextDeadline();
  if (deadline != Time::max()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Now()).count() + 1;
    timeout_ms = static_cast<int>(std::clamp<int64_t>(left, 0, timeout_ms));
  }
  poll(ready.data(), ready.size(), timeout_ms);
  std::vector<Packet> packets;
  for (;;) {
    uint8_t octets[256];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(timespec))];
    sockaddr_ll from{};
    iovec place = {octets, sizeof(octets)};
    msghdr message = {.msg_name = &from,
                      .msg_namelen = sizeof(from),
                      .msg_iov = &place,
                      .msg_iovlen = 1,
                      .msg_control = control,
                      .msg_controllen = sizeof(control)};
    const ssize_t length = recvmsg(socket_, &message, MSG_DONTWAIT);
    if (length < 0) break;
    Packet packet;
    // Each packet passes twice, on its way out and in.
    if (from.sll_pkttype != PACKET_OUTGOING || !Parse(octets, length, packet)) continue;
    if ((packet.flags & (TH_SYN | TH_FIN | TH_RST)) == 0) continue;
    timespec stamp;
    std::memcpy(&stamp, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(stamp));
    packet.at = Time(std::chrono::seconds(stamp.tv_sec) + std::chrono::nanoseconds(stamp.tv_nsec));
    packets.push_back(packet);
    if (packets.size() >= 256) break;
  }
  packets_ += packets.size();
  const Meter meter(cpu_time_);
  const auto found = [this](const pcap::Finding& finding) { OnFinding(finding); };
  finder_->Poll(Now(), found);
  for (const Packet& packet : packets) Take(packet);
  if (!packets.empty()) finder_->Poll(Now(), found);
  return !packets.empty();
}

void PacketWatch::Take(const Packet& packet) {
  const bool syn = (packet.flags & TH_SYN) != 0;
  const bool ack = (packet.flags & TH_ACK) != 0;
  if (syn) {
    const uint16_t client_port = ack ? packet.to.port : packet.from.port;
    if (!ack) sessions_[client_port] = {};
    SessionId& id = ack ? sessions_[client_port].passive : sessions_[client_port].active;
    if (id != 0) return;  // sent again
    id = ends_.size() + 1;
    ends_.push_back({.end = {.id = id,
                             .direction = ack ? Direction::kPassive : Direction::kActive,
                             .local = packet.from,
                             .remote = packet.to,
                             .at = packet.at}});
    by_port_.emplace(client_port, id);
    finder_->Look(ends_.back().end);
    return;
  }
  const bool from_client = sessions_.contains(packet.from.port);
  const uint16_t client_port = from_client ? packet.from.port : packet.to.port;
  const auto session = sessions_.find(client_port);
  if (session == sessions_.end()) return;
  session->second.fins |= from_client ? 1 : 2;
  if ((packet.flags & TH_RST) != 0 || session->second.fins == 3) Over(client_port);
}

void PacketWatch::Over(uint16_t client_port) {
  const Session session = sessions_[client_port];
  for (const SessionId id : {session.active, session.passive}) {
    if (id == 0 || ends_[id - 1].forgotten) continue;
    finder_->Forget(id, false, [this](const pcap::Finding& finding) { OnFinding(finding); });
    ends_[id - 1].forgotten = true;
  }
}

void PacketWatch::OnFinding(const pcap::Finding& finding) {
  WatchedEnd& end = ends_.at(finding.id - 1);
  const bool established = end.best.established || finding.established;
  const uint64_t cookie = finding.socket_cookie != 0 ? finding.socket_cookie : end.best.socket_cookie;
  if (MoreCertain(finding.attribution, end.best.attribution)) end.best = finding;
  end.best.established = established;
  end.best.socket_cookie = cookie;
}

void PacketWatch::RunUntilQuiet(Duration quiet) {
  Time last = Now();
  while (Now() - last < quiet) {
    if (Step(10)) last = Now();
  }
}

void PacketWatch::RunWhile(const std::function<bool()>& more) {
  while (more()) Step(10);
}

const WatchedEnd* PacketWatch::Find(uint16_t client_port, Time begun, Direction direction) const {
  const auto [first, last] = by_port_.equal_range(client_port);
  for (auto i = first; i != last; ++i) {
    const WatchedEnd& end = ends_[i->second - 1];
    if (end.end.direction == direction && end.end.at >= begun) return &end;
  }
  return nullptr;
}

const WatchedEnd* PacketWatch::Active(uint16_t client_port, Time begun) const {
  return Find(client_port, begun, Direction::kActive);
}

const WatchedEnd* PacketWatch::Passive(uint16_t client_port, Time begun) const {
  return Find(client_port, begun, Direction::kPassive);
}

}  // namespace sockflow::testing
