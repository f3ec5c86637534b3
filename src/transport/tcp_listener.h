// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "transport/socket.h"
#include "transport/url.h"

namespace sockflow::transport {

// Takes connections.
class TcpListener {
 public:
  // Of a URL with scheme tcp; port 0: the kernel chooses one. The error tells what is in the way.
  static absl::StatusOr<std::unique_ptr<TcpListener>> Open(const Url& url);

  // Readable when there is somebody to accept.
  int fd() const { return socket_.fd(); }

  // A non-blocking socket that no child process inherits. The error is an errno value, EAGAIN if nobody
  // waits; 0: none.
  Socket Accept(int& error);

  // "127.0.0.1:9841": the address that was bound.
  const std::string& name() const { return name_; }
  uint16_t port() const { return port_; }

 private:
  explicit TcpListener(Socket socket) : socket_(std::move(socket)) {}

  Socket socket_;
  std::string name_;
  uint16_t port_ = 0;
};

}  // namespace sockflow::transport
