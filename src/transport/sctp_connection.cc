// SPDX-License-Identifier: MIT
#include "transport/sctp_connection.h"

#include <cerrno>

#include "transport/sctp_socket.h"

namespace sockflow::transport {

std::unique_ptr<Connection> SctpConnection::Make(const SocketAddress& address, int& error) {
  Socket opened = OpenSctp(address, error);
  if (!opened) return nullptr;
  return std::make_unique<SctpConnection>(std::move(opened), address);
}

int SctpConnection::Discard() {
  // Only data is counted: there are no more notifications than what this side has sent.
  for (int reads_of_data = 0; reads_of_data < 64;) {
    SctpNews news;
    const int error = ReadSctp(socket(), within_notification_, news);
    if (error == EAGAIN) break;
    if (error != 0 || news.end != 0) {
      // An orderly end may still become another: what was on its way is then lost.
      if (end_ == 0 || end_ == ESHUTDOWN) end_ = error != 0 ? error : news.end;
      if (error != 0) break;
    }
    undelivered_ += news.undelivered;
    CountReceived(news.octets);
    if (news.octets > 0) ++reads_of_data;
  }
  return end_;
}

// An association that the collector ends needs no answer: the kernel sends what is on its way first.
void SctpConnection::Finish() {
  if (end_ == 0) ShutDownWriting(socket());
}

int SctpConnection::WriteSome(std::span<const std::span<const uint8_t>> parts, size_t& written) {
  return WriteNow(socket(), parts.first(1), written);
}

uint64_t SctpConnection::UnacknowledgedOctets() {
  Discard();  // that the association has ended, and what it has not delivered
  return undelivered_ + QueuedOctets(socket());
}

}  // namespace sockflow::transport
