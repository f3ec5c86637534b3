// SPDX-License-Identifier: MIT
#include "transport/tcp_connection.h"

#include <cerrno>

namespace sockflow::transport {

std::unique_ptr<Connection> TcpConnection::Make(const SocketAddress& address, int& error) {
  Socket opened = OpenTcp(address, error);
  if (!opened) return nullptr;
  return std::make_unique<TcpConnection>(std::move(opened), address);
}

int TcpConnection::Discard() {
  for (int i = 0; i < 16; ++i) {
    size_t taken = 0;
    const int error = DiscardNow(socket(), 64 << 10, taken);
    CountReceived(taken);
    if (error == EAGAIN) return 0;
    if (error != 0) return error;
    if (taken == 0) return ESHUTDOWN;
  }
  return 0;
}

void TcpConnection::Finish() { finished_ = finished_ || ShutDownWriting(socket()); }

int TcpConnection::WriteSome(std::span<const std::span<const uint8_t>> parts, size_t& written) {
  return WriteNow(socket(), parts, written);
}

uint64_t TcpConnection::UnacknowledgedOctets() {
  const uint64_t octets = transport::UnacknowledgedOctets(socket());
  return finished_ && octets > 0 ? octets - 1 : octets;  // a FIN counts as an octet
}

}  // namespace sockflow::transport
