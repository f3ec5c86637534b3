// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <utility>

#include "transport/connection.h"

namespace sockflow::transport {

// An SCTP association. Each part that is written is a user message of its own, which the kernel takes
// whole or not at all: nothing is ever kept.
class SctpConnection final : public Connection {
 public:
  // As MakeConnection.
  static std::unique_ptr<Connection> Make(const SocketAddress& address, int& error);

  using Connection::Connection;

  int Discard() override;
  void Finish() override;

 private:
  // EMSGSIZE: the message is longer than the socket's send buffer; the association goes on.
  int WriteSome(std::span<const std::span<const uint8_t>> parts, size_t& written) override;
  uint64_t UnacknowledgedOctets() override;

  int end_ = 0;  // as Discard: an association that has ended says why only once
  bool within_notification_ = false;  // its rest is still to be read
  uint64_t undelivered_ = 0;          // octets that the kernel has given up
};

}  // namespace sockflow::transport
