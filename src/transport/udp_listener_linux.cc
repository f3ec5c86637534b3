// SPDX-License-Identifier: MIT
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "fmt/format.h"
#include "transport/bound_socket.h"
#include "transport/udp_listener.h"

namespace sockflow::transport {
namespace {

constexpr size_t kBatch = 64;

// Every one of these is a wish; the socket works without.
void Configure(const Socket& socket, size_t buffer_octets) {
  const int on = 1;
  setsockopt(socket.fd(), SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
  const int octets = static_cast<int>(buffer_octets);
  if (setsockopt(socket.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof(octets)) != 0) {
    setsockopt(socket.fd(), SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
  }
}

}  // namespace

// All that recvmmsg fills in, set up once.
struct UdpListener::Batch {
  explicit Batch(size_t octets)
      // Not cleared, so that only pages which a datagram has reached take memory.
      : arena(std::make_unique_for_overwrite<uint8_t[]>(octets * kBatch)) {
    for (size_t i = 0; i < kBatch; ++i) {
      parts[i] = {.iov_base = arena.get() + i * octets, .iov_len = octets};
      messages[i] = {};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }

  // The kernel overwrites these lengths.
  void Rearm() {
    for (size_t i = 0; i < kBatch; ++i) {
      msghdr& header = messages[i].msg_hdr;
      header.msg_name = peers[i].octets.data();
      header.msg_namelen = static_cast<socklen_t>(peers[i].octets.size());
      header.msg_control = controls[i].octets;
      header.msg_controllen = sizeof(controls[i].octets);
    }
  }

  struct Control {
    alignas(cmsghdr) char octets[CMSG_SPACE(sizeof(uint32_t))];
  };

  std::unique_ptr<uint8_t[]> arena;
  std::array<SocketAddress, kBatch> peers;
  std::array<Control, kBatch> controls;
  std::array<iovec, kBatch> parts;
  std::array<mmsghdr, kBatch> messages;
  // Most datagrams come from the sender of the one before.
  SocketAddress last_peer;
  std::string last_peer_text;
};

UdpListener::UdpListener(Socket socket, Options options)
    : socket_(std::move(socket)),
      options_(options),
      batch_(std::make_unique<Batch>(options.max_datagram_octets)) {}

UdpListener::~UdpListener() = default;

absl::StatusOr<std::unique_ptr<UdpListener>> UdpListener::Open(const Url& url) {
  return Open(url, Options());
}

absl::StatusOr<std::unique_ptr<UdpListener>> UdpListener::Open(const Url& url, Options options) {
  if (url.scheme != "udp") {
    return absl::InvalidArgumentError(
        fmt::format("{} is not a UDP address; write udp://HOST[:PORT]", url.ToString()));
  }
  // No SO_REUSEADDR: for UDP it would let two collectors share a port, and one starve.
  absl::StatusOr<BoundSocket> bound = Bind(url, [&options](const SocketAddress& address, int& error) {
    Socket opened = OpenUdp(address, error);
    if (error == 0) Configure(opened, options.receive_buffer_octets);
    return opened;
  });
  if (!bound.ok()) return bound.status();
  int octets = 0;
  socklen_t length = sizeof(octets);
  getsockopt(bound->socket.fd(), SOL_SOCKET, SO_RCVBUF, &octets, &length);
  std::unique_ptr<UdpListener> listener(new UdpListener(std::move(bound->socket), options));
  listener->name_ = "udp://" + bound->address.ToString();
  listener->port_ = bound->address.port();
  listener->receive_buffer_octets_ = static_cast<size_t>(octets);
  return listener;
}

absl::StatusOr<size_t> UdpListener::Receive(Deliver deliver) {
  batch_->Rearm();
  const int received =
      recvmmsg(socket_.fd(), batch_->messages.data(), kBatch, MSG_DONTWAIT, nullptr);
  if (received < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return size_t{0};
    return absl::UnknownError(fmt::format("{}: receiving failed: {}", name_, std::strerror(errno)));
  }
  for (size_t i = 0; i < static_cast<size_t>(received); ++i) {
    mmsghdr& message = batch_->messages[i];
    for (cmsghdr* item = CMSG_FIRSTHDR(&message.msg_hdr); item != nullptr;
         item = CMSG_NXTHDR(&message.msg_hdr, item)) {
      if (item->cmsg_level == SOL_SOCKET && item->cmsg_type == SO_RXQ_OVFL) {
        uint32_t drops;
        std::memcpy(&drops, CMSG_DATA(item), sizeof(drops));
        SetKernelDrops(drops);
      }
    }
    if ((message.msg_hdr.msg_flags & MSG_TRUNC) != 0) {
      ++stats_.truncated;
      continue;
    }
    SocketAddress& peer = batch_->peers[i];
    peer.length = message.msg_hdr.msg_namelen;
    if (peer != batch_->last_peer) {
      batch_->last_peer = peer;
      batch_->last_peer_text = peer.ToString();
    }
    ++stats_.datagrams;
    stats_.octets += message.msg_len;
    deliver(batch_->last_peer_text,
            {static_cast<const uint8_t*>(batch_->parts[i].iov_base), message.msg_len});
  }
  return static_cast<size_t>(received);
}

const UdpListener::Stats& UdpListener::stats() {
  // SO_RXQ_OVFL tells of drops only with the next datagram, SO_MEMINFO (since Linux 4.12) at once.
  uint32_t memory[SK_MEMINFO_VARS] = {};
  socklen_t length = sizeof(memory);
  if (getsockopt(socket_.fd(), SOL_SOCKET, SO_MEMINFO, memory, &length) == 0 &&
      length > SK_MEMINFO_DROPS * sizeof(uint32_t)) {
    SetKernelDrops(memory[SK_MEMINFO_DROPS]);
  }
  return stats_;
}

void UdpListener::SetKernelDrops(uint32_t total) {
  // A datagram carries the count of when it was queued, which may be older than one that we know.
  const uint32_t more = total - last_drops_;
  if (static_cast<int32_t>(more) <= 0) return;
  stats_.kernel_drops += more;
  last_drops_ = total;
}

}  // namespace sockflow::transport
