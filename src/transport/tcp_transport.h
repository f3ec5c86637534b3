// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

#include "transport/stream_transport.h"

namespace sockflow::transport {

// Sends messages over TCP as they are (RFC 7011 10.4), many with one system call.
class TcpTransport final : public StreamTransport {
 public:
  explicit TcpTransport(const Url& url, Lookup::Resolver resolve = Lookup::SystemResolver)
      : StreamTransport(url, std::move(resolve)) {}
};

}  // namespace sockflow::transport
