// SPDX-License-Identifier: MIT
#include "transport/udp_sender.h"

#include <linux/errqueue.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sockflow::transport {
namespace {

// UDP_MAX_SEGMENTS of Linux 4.18; since 6.9 it is 128, which datagrams of a usual path cannot
// reach: all together have to fit the length field of IP.
constexpr size_t kBatch = 64;
constexpr size_t kMaxOctetsV4 = 65535 - 20 - 8;
constexpr size_t kMaxOctetsV6 = 65535 - 40 - 8;
// What tells messages apart: the header, with its sequence number (RFC 7011 3.1), and a little
// more.
constexpr size_t kHeadOctets = 24;
// Messages sent in the time that an error takes to come back.
constexpr size_t kRemembered = 256;

// Every one of these is a wish; the socket works without.
void Configure(const Socket& socket, const SocketAddress& address) {
  // Each ICMP error is queued with what it is about. Without that the kernel keeps the newest one
  // only, forgets it when it stops the middle of a batch, and passes over a host that does not
  // answer ARP and a datagram that the interface's queue throws away.
  const int on = 1;
  setsockopt(socket.fd(), IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
  if (address.is_v6()) setsockopt(socket.fd(), IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
  // A collector says nothing over UDP (RFC 7011 10.3). What comes all the same is dropped, or it
  // would take the room of the errors.
  sock_filter drop_all = {.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = 0};
  const sock_fprog filter = {.len = 1, .filter = &drop_all};
  setsockopt(socket.fd(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

// The error that came over the network, 0 if it is one of this host's own, whose sender knows it.
int NetworkError(msghdr& message) {
  for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr;
       item = CMSG_NXTHDR(&message, item)) {
    const bool v4 = item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_RECVERR;
    const bool v6 = item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_RECVERR;
    if (!v4 && !v6) continue;
    sock_extended_err error;
    std::memcpy(&error, CMSG_DATA(item), sizeof(error));
    if (error.ee_origin == SO_EE_ORIGIN_ICMP || error.ee_origin == SO_EE_ORIGIN_ICMP6) {
      return static_cast<int>(error.ee_errno);
    }
  }
  return 0;
}

}  // namespace

struct UdpSender::Batch {
  struct Control {
    alignas(cmsghdr) char octets[CMSG_SPACE(sizeof(uint16_t))];
  };

  std::array<mmsghdr, kBatch> groups;
  std::array<Control, kBatch> controls;
  std::array<iovec, kBatch> parts;  // a message each
  size_t group_count = 0;
  size_t part_count = 0;
};

// How the newest messages left. A run that a network card would have cut into datagrams arrives
// whole where there is none (loopback, veth), and if nobody is there, one error comes back for all
// of it.
class UdpSender::Memory {
 public:
  void Add(const msghdr& group) {
    for (size_t i = 0; i < group.msg_iovlen; ++i) {
      Entry& entry = entries_[next_++ % kRemembered];
      entry.head = HeadOf(group.msg_iov[i].iov_base, group.msg_iov[i].iov_len);
      entry.run = i == 0 ? group.msg_iovlen : 1;
      entry.lost = false;
    }
  }

  // Messages that are lost with the one that began so, besides those counted before.
  size_t Lose(const void* octets, size_t length) {
    const Head head = HeadOf(octets, length);
    bool known = false;
    for (size_t age = 1; age <= std::min(next_, kRemembered); ++age) {
      const size_t at = next_ - age;
      const Entry& entry = entries_[at % kRemembered];
      if (entry.head != head) continue;
      known = true;
      if (entry.lost) continue;
      size_t lost = 0;
      for (size_t i = at; i < std::min(at + entry.run, next_); ++i) {
        Entry& member = entries_[i % kRemembered];
        lost += member.lost ? 0 : 1;
        member.lost = true;
      }
      return lost;
    }
    return known ? 0 : 1;
  }

 private:
  using Head = std::array<uint8_t, kHeadOctets>;
  struct Entry {
    Head head;
    size_t run;  // messages that left as one, from this one on
    bool lost;
  };

  static Head HeadOf(const void* octets, size_t length) {
    Head head = {};
    std::memcpy(head.data(), octets, std::min(length, kHeadOctets));
    return head;
  }

  std::array<Entry, kRemembered> entries_;
  size_t next_ = 0;  // messages that were ever added
};

UdpSender::UdpSender(Socket socket, const SocketAddress& address)
    : socket_(std::move(socket)),
      address_(address),
      batch_(std::make_unique<Batch>()),
      memory_(std::make_unique<Memory>()) {
  Configure(socket_, address_);
  int segment = 0;
  socklen_t length = sizeof(segment);
  has_segmentation_ = getsockopt(socket_.fd(), IPPROTO_UDP, UDP_SEGMENT, &segment, &length) == 0;
}

UdpSender::~UdpSender() = default;

std::unique_ptr<UdpSender> UdpSender::Open(const SocketAddress& address, int& error) {
  Socket opened = OpenUdpSender(address, error);
  if (error == 0) error = Connect(opened, address);
  if (error != 0) return nullptr;
  return std::unique_ptr<UdpSender>(new UdpSender(std::move(opened), address));
}

size_t UdpSender::AddGroup(Messages messages, bool segmentation) {
  const size_t segment = messages.front().size();
  const size_t room = kBatch - batch_->part_count;
  size_t octets = segment;
  size_t count = 1;
  if (segmentation && segment > 0) {
    const size_t max_octets = address_.is_v6() ? kMaxOctetsV6 : kMaxOctetsV4;
    while (count < std::min(room, messages.size())) {
      const size_t next = messages[count].size();
      if (next == 0 || next > segment || octets + next > max_octets) break;
      octets += next;
      ++count;
      if (next < segment) break;
    }
  }
  msghdr& header = batch_->groups[batch_->group_count].msg_hdr;
  header = {};
  header.msg_iov = &batch_->parts[batch_->part_count];
  header.msg_iovlen = count;
  for (const std::span<const uint8_t> message : messages.first(count)) {
    // The kernel only reads it.
    batch_->parts[batch_->part_count++] = {.iov_base = const_cast<uint8_t*>(message.data()),
                                           .iov_len = message.size()};
  }
  if (count > 1) {
    Batch::Control& control = batch_->controls[batch_->group_count];
    header.msg_control = control.octets;
    header.msg_controllen = sizeof(control.octets);
    cmsghdr* const item = CMSG_FIRSTHDR(&header);
    item->cmsg_level = IPPROTO_UDP;
    item->cmsg_type = UDP_SEGMENT;
    item->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    const auto segment_octets = static_cast<uint16_t>(segment);
    std::memcpy(CMSG_DATA(item), &segment_octets, sizeof(segment_octets));
  }
  ++batch_->group_count;
  return count;
}

UdpSender::Sent UdpSender::Send(Messages messages, bool segmentation) {
  batch_->group_count = 0;
  batch_->part_count = 0;
  while (!messages.empty() && batch_->part_count < kBatch) {
    messages = messages.subspan(AddGroup(messages, segmentation));
  }
  int sent;
  do {
    sent = sendmmsg(socket_.fd(), batch_->groups.data(),
                    static_cast<unsigned>(batch_->group_count), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return {0, errno, batch_->groups[0].msg_hdr.msg_iovlen};
  Sent result;
  for (int i = 0; i < sent; ++i) {
    const msghdr& group = batch_->groups[static_cast<size_t>(i)].msg_hdr;
    result.accepted += group.msg_iovlen;
    memory_->Add(group);
  }
  return result;
}

void UdpSender::TakeQueuedErrors(News& news) {
  for (;;) {
    alignas(cmsghdr) char control[256];
    uint8_t head[kHeadOctets];
    iovec part = {.iov_base = head, .iov_len = sizeof(head)};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    const ssize_t quoted = recvmsg(socket_.fd(), &message, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (quoted < 0 && errno == EINTR) continue;
    if (quoted < 0) return;
    const int error = NetworkError(message);
    if (error == 0) continue;
    news.error = error;
    // A router need not quote more than the header of UDP (RFC 792).
    news.lost += quoted == 0 ? 1 : memory_->Lose(head, static_cast<size_t>(quoted));
  }
}

UdpSender::News UdpSender::TakeNews() {
  News news;
  TakeQueuedErrors(news);
  int error = 0;
  socklen_t length = sizeof(error);
  getsockopt(socket_.fd(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error == 0) return news;
  // Queued in between, or not at all, because the queue was full or could not grow.
  TakeQueuedErrors(news);
  if (news.error == 0) news = {.lost = 1, .error = error};
  return news;
}

}  // namespace sockflow::transport
