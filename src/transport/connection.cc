// SPDX-License-Identifier: MIT
#include "transport/connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "fmt/format.h"

namespace sockflow::transport {
namespace {

using Clock = std::chrono::steady_clock;

const char* RemedyOf(int error) {
  switch (error) {
    case ECONNREFUSED:
      return "start the collector or correct its address";
    case ETIMEDOUT:
      return "check that its host is up and that no firewall drops what is sent there";
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL:
      return "check the network and the routing table";
    case EPERM:
    case EACCES:
      return "allow it in this host's firewall";
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
      return "raise the limit of open files or free memory";
    case EPROTONOSUPPORT:
    case ESOCKTNOSUPPORT:
      return "this kernel has no SCTP: load its module (modprobe sctp), or use tcp://";
    case EAFNOSUPPORT:
      return "use the other address family, or enable IPv6";
    default:
      return "check its address and the network";
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> ConnectToAny(
    const std::string& name, std::span<const SocketAddress> addresses, MakeConnection make,
    Waiter& waiter, Clock::time_point deadline) {
  std::string failures;
  int error = 0;
  for (size_t i = 0; i < addresses.size(); ++i) {
    const auto now = Clock::now();
    const auto share = std::max(deadline - now, Clock::duration::zero()) /
                       static_cast<Clock::rep>(addresses.size() - i);
    std::unique_ptr<Connection> made = make(addresses[i], error);
    if (error == 0) error = made->Connect(waiter, now + share);
    if (error == 0) return made;
    if (error == ECANCELED) {
      return absl::CancelledError(fmt::format("{}: connecting was interrupted", name));
    }
    failures += fmt::format("{}{}: {}", failures.empty() ? "" : ", ", addresses[i].ToString(),
                            std::strerror(error));
  }
  return absl::UnavailableError(
      fmt::format("{}: cannot connect to {}; {}", name, failures, RemedyOf(error)));
}

int Connection::Connect(Waiter& waiter, Clock::time_point deadline) {
  const int error = transport::Connect(socket_, peer_);
  if (error != 0 && error != EINPROGRESS) return error;
  if (error == EINPROGRESS && waiter.Wait(fd(), Waiter::kWritable, deadline) == 0) {
    return Clock::now() < deadline ? ECANCELED : ETIMEDOUT;
  }
  return ConnectError(socket_, peer_);
}

void Connection::Append(std::span<const uint8_t> octets) {
  if (!keeps_octets()) {
    kept_.clear();
    begin_ = 0;
  }
  kept_.insert(kept_.end(), octets.begin(), octets.end());
}

int Connection::Flush() {
  while (keeps_octets()) {
    const std::span<const uint8_t> rest = std::span<const uint8_t>(kept_).subspan(begin_);
    size_t written = 0;
    const int error = WriteSome({&rest, 1}, written);
    if (error != 0) return error;
    begin_ += written;
    written_ += written;
  }
  return 0;
}

int Connection::Write(std::span<const std::span<const uint8_t>> parts, size_t& begun) {
  begun = 0;
  while (begun < parts.size() && !keeps_octets()) {
    size_t written = 0;
    const int error = WriteSome(parts.subspan(begun), written);
    // What went before is on its way; the error, if it lasts, is told the next time.
    if (error != 0) return begun > 0 ? 0 : error;
    written_ += written;
    for (; begun < parts.size() && written >= parts[begun].size(); ++begun) {
      written -= parts[begun].size();
    }
    if (written > 0) Append(parts[begun++].subspan(written));
  }
  return 0;
}

int Connection::Read(std::span<uint8_t> octets, size_t& taken) {
  const int error = ReadNow(socket_, octets, taken);
  received_ += taken;
  return error;
}

absl::Status ConnectionError(const std::string& place, int error) {
  switch (error) {
    case ESHUTDOWN:
      return absl::UnavailableError(fmt::format(
          "{}: the connection was closed by the collector; its log may say why", place));
    case ECONNRESET:
    case EPIPE:
      return absl::UnavailableError(fmt::format(
          "{}: the connection was reset by the collector; its log may say why", place));
    case EMSGSIZE:
      return absl::OutOfRangeError(fmt::format(
          "{}: a message is longer than the socket's send buffer; raise net.core.wmem_max, or lower "
          "exporter.max_message_bytes",
          place));
    default:
      return absl::UnavailableError(fmt::format("{}: the connection broke: {}; {}", place,
                                                std::strerror(error), RemedyOf(error)));
  }
}

}  // namespace sockflow::transport
