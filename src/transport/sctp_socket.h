// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "transport/socket.h"

// What the SCTP transport needs of the operating system besides socket.h (sctp_socket_linux.cc).
namespace sockflow::transport {

// A non-blocking socket for one association with one outbound stream (RFC 6458 4), which no child
// process inherits and which sends what it is given at once. The error is an errno value,
// EPROTONOSUPPORT or ESOCKTNOSUPPORT if the kernel has no SCTP; 0: none.
Socket OpenSctp(const SocketAddress& address, int& error);

// What one read took: data, which is forgotten, or what the kernel tells of the association.
struct SctpNews {
  size_t octets = 0;         // of data
  uint64_t undelivered = 0;  // octets that were written and that the peer has not acknowledged
  int end = 0;               // the association has ended: an errno value, ESHUTDOWN if in order
};

// Reads without waiting. `within_notification` is kept for the next read, false at first. An errno
// value, EAGAIN if there is nothing, ESHUTDOWN if the peer has ended the association in order.
int ReadSctp(const Socket& socket, bool& within_notification, SctpNews& news);

// Octets that were written and that the peer's kernel has not acknowledged, with what the kernel needs
// to keep them: at least as many as there are, and 0 only if there are none.
uint64_t QueuedOctets(const Socket& socket);

}  // namespace sockflow::transport
