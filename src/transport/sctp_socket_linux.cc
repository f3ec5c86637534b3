// SPDX-License-Identifier: MIT
#include "transport/sctp_socket.h"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

// Uses what the headers above define.
#include <linux/sctp.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace sockflow::transport {
namespace {

// Holds the start of each notification. What comes after it is a message that was not delivered.
using Buffer = std::array<uint8_t, 1024>;

template <typename T>
T StartOf(const Buffer& octets) {
  T value;
  std::memcpy(&value, octets.data(), sizeof(value));
  return value;
}

void TakeNotification(const Buffer& octets, size_t length, SctpNews& news) {
  const auto header = StartOf<decltype(sctp_notification::sn_header)>(octets);
  if (header.sn_type == SCTP_SEND_FAILED && length >= sizeof(sctp_send_failed)) {
    news.undelivered = header.sn_length - sizeof(sctp_send_failed);
  } else if (header.sn_type == SCTP_ASSOC_CHANGE && length >= sizeof(sctp_assoc_change)) {
    const uint16_t state = StartOf<sctp_assoc_change>(octets).sac_state;
    if (state == SCTP_SHUTDOWN_COMP) news.end = ESHUTDOWN;
    // A peer that has started anew knows no templates. Why an association was lost is the socket's
    // error.
    if (state == SCTP_RESTART) news.end = ECONNRESET;
  }
}

}  // namespace

Socket OpenSctp(const SocketAddress& address, int& error) {
  Socket opened(socket(address.is_v6() ? AF_INET6 : AF_INET,
                       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_SCTP));
  error = opened ? 0 : errno;
  if (!opened) return opened;
  const auto set = [&](int level, int option, const auto& value, size_t octets) {
    if (setsockopt(opened.fd(), level, option, &value, static_cast<socklen_t>(octets)) != 0) {
      error = errno;
    }
  };
  // Timeouts stay those of net.sctp.*, where they can be configured (RFC 7011 10.2.4).
  const sctp_initmsg init{.sinit_num_ostreams = 1};
  set(IPPROTO_SCTP, SCTP_INITMSG, init, sizeof(init));
  const int on = 1;
  set(IPPROTO_SCTP, SCTP_NODELAY, on, sizeof(on));
  // Without these a message that was not delivered would be taken for one that was.
  sctp_event_subscribe events{};
  events.sctp_association_event = 1;
  events.sctp_send_failure_event = 1;
  // No further than needed: a kernel that is older than the header refuses what it does not know.
  set(IPPROTO_SCTP, SCTP_EVENTS, events,
      offsetof(sctp_event_subscribe, sctp_send_failure_event) + 1);
  // Room for a burst, and for the longest message that there is (RFC 7011 3.1); the kernel cuts it down
  // to net.core.wmem_max.
  const int octets = 1 << 20;
  set(SOL_SOCKET, SO_SNDBUF, octets, sizeof(octets));
  if (error != 0) return Socket();
  return opened;
}

int ReadSctp(const Socket& socket, bool& within_notification, SctpNews& news) {
  Buffer octets;
  iovec vector{octets.data(), octets.size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  ssize_t taken;
  do {
    taken = recvmsg(socket.fd(), &message, MSG_DONTWAIT);
  } while (taken < 0 && errno == EINTR);
  if (taken < 0) return errno;
  const bool notification = (message.msg_flags & MSG_NOTIFICATION) != 0;
  if (taken == 0 && !notification) return ESHUTDOWN;
  const auto length = static_cast<size_t>(taken);
  if (!notification) {
    news.octets = length;
  } else if (!within_notification) {
    TakeNotification(octets, length, news);
  }
  within_notification = notification && (message.msg_flags & MSG_EOR) == 0;
  return 0;
}

uint64_t QueuedOctets(const Socket& socket) {
  // SCTP_STATUS counts only what was sent when the last acknowledgement came, and SIOCOUTQ is not for
  // SCTP. A chunk is charged to the socket until it is acknowledged (sctp_set_owner_w, sctp_wfree).
  std::array<uint32_t, SK_MEMINFO_VARS> memory{};
  socklen_t length = sizeof(memory);
  if (getsockopt(socket.fd(), SOL_SOCKET, SO_MEMINFO, memory.data(), &length) != 0) return 0;
  return memory[SK_MEMINFO_WMEM_QUEUED];
}

}  // namespace sockflow::transport
