// SPDX-License-Identifier: MIT
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "transport/socket.h"
#include "transport/url.h"

namespace sockflow::transport {

struct BoundSocket {
  Socket socket;
  SocketAddress address;  // with the true port if 0 was asked for
};

// Makes a socket of an address's family, with what it needs before it is bound. The error is an errno
// value; 0: none.
using OpenUnbound = absl::FunctionRef<Socket(const SocketAddress& address, int& error)>;

// A socket at the URL's host and port; without a host at all addresses of this one. The error tells what
// is in the way.
absl::StatusOr<BoundSocket> Bind(const Url& url, OpenUnbound open);

}  // namespace sockflow::transport
