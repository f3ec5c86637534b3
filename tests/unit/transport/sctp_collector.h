// SPDX-License-Identifier: MIT
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

// Uses what the headers above define.
#include <linux/sctp.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <vector>

#include "tests/unit/transport/collector_end.h"

// The far end of the SCTP transport.
namespace sockflow::transport {

// 0, or the errno value with which this kernel refuses SCTP.
inline int SctpRefusal() {
  const Socket probe(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_SCTP));
  return probe ? 0 : errno;
}

class SctpCollector : public CollectorEnd {
 public:
  explicit SctpCollector(int receive_buffer_octets = 0)
      : CollectorEnd(receive_buffer_octets, 16, IPPROTO_SCTP) {}
  Url url() const { return CollectorEnd::url("sctp"); }
};

// The next message; none: the sender has ended the association, in order or not.
inline std::optional<std::vector<uint8_t>> ReceiveMessage(const Socket& socket, int flags = 0) {
  std::vector<uint8_t> message;
  while (true) {
    const size_t have = message.size();
    message.resize(have + 65536);
    iovec vector{message.data() + have, 65536};
    msghdr header{};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    const ssize_t taken = recvmsg(socket.fd(), &header, flags);
    if (taken <= 0) return std::nullopt;
    message.resize(have + static_cast<size_t>(taken));
    if (header.msg_flags & MSG_EOR) return message;
  }
}

}  // namespace sockflow::transport
