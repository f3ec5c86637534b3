// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <utility>

#include "transport/sctp_connection.h"
#include "transport/stream_transport.h"

namespace sockflow::transport {

// Sends messages over an SCTP association (RFC 7011 10.2): each is one user message, in order and fully
// reliable, on the association's one outbound stream.
//
// When an association breaks, SCTP tells which messages it has not delivered: unconfirmed() is then
// exact. While it stands, unconfirmed() may be more than there are.
class SctpTransport final : public StreamTransport {
 public:
  explicit SctpTransport(const Url& url, Lookup::Resolver resolve = Lookup::SystemResolver)
      : StreamTransport(url, std::move(resolve)) {}

 private:
  std::unique_ptr<Connection> Make(const SocketAddress& address, int& error) override {
    return SctpConnection::Make(address, error);
  }
};

}  // namespace sockflow::transport
