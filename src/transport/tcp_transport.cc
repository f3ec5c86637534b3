// SPDX-License-Identifier: MIT
#include "transport/tcp_transport.h"

#include <cerrno>

namespace sockflow::transport {

absl::Status TcpTransport::Put(TcpConnection& connection, Messages messages) {
  uint64_t end = connection.end_offset();
  size_t begun = 0;
  const int error = connection.Write(messages, begun);
  for (const auto& message : messages.first(begun)) Accepted(end += message.size());
  if (error != 0 && error != EAGAIN) return ConnectionError(place(), error);
  return absl::OkStatus();
}

absl::Status TcpTransport::Take(TcpConnection& connection) {
  const int error = connection.Discard();
  return error == 0 ? absl::OkStatus() : ConnectionError(place(), error);
}

}  // namespace sockflow::transport
