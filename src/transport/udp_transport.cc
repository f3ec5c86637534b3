// SPDX-License-Identifier: MIT
#include "transport/udp_transport.h"

#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

#include "fmt/format.h"

namespace sockflow::transport {

absl::Status SendError(const std::string& place, int error, size_t octets, size_t largest) {
  switch (error) {
    case ECONNREFUSED:
      return absl::FailedPreconditionError(fmt::format(
          "{}: refused an earlier message; start the collector or correct its address", place));
    case EAGAIN:
#if EAGAIN != EWOULDBLOCK
    case EWOULDBLOCK:
#endif
      return absl::ResourceExhaustedError(fmt::format(
          "{}: the socket's send buffer is full; raise net.core.wmem_max or send less", place));
    case ENOBUFS:
      return absl::AbortedError(fmt::format(
          "{}: the queue of the network interface is full; raise its txqueuelen or send less",
          place));
    case EMSGSIZE:
      if (largest == 0) {
        return absl::OutOfRangeError(
            fmt::format("{}: a message of {} octets is too long for the path; lower "
                        "exporter.max_message_bytes",
                        place, octets));
      }
      return absl::OutOfRangeError(fmt::format(
          "{}: a message of {} octets is too long for the path, which takes {}; set "
          "exporter.max_message_bytes to {}",
          place, octets, largest, largest));
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL:
      return absl::NotFoundError(
          fmt::format("{}: no route: {}; check the network and the routing table", place,
                      std::strerror(error)));
    case EPERM:
    case EACCES:
      return absl::PermissionDeniedError(fmt::format(
          "{}: sending is forbidden: {}; allow it in this host's firewall", place,
          std::strerror(error)));
    default:
      return absl::UnknownError(
          fmt::format("{}: sending failed: {}", place, std::strerror(error)));
  }
}

UdpTransport::UdpTransport(const Url& url, Options options)
    : url_(url),
      options_(std::move(options)),
      name_(url.ToString()),
      is_address_(IsAddress(url.host)) {}

absl::StatusOr<std::unique_ptr<UdpTransport>> UdpTransport::Open(const Url& url) {
  return Open(url, Options());
}

absl::StatusOr<std::unique_ptr<UdpTransport>> UdpTransport::Open(const Url& url, Options options) {
  if (url.scheme != "udp") {
    return absl::InvalidArgumentError(
        fmt::format("{} is not a UDP destination; write udp://HOST[:PORT]", url.ToString()));
  }
  std::unique_ptr<UdpTransport> transport(new UdpTransport(url, std::move(options)));
  transport->StartLookup();
  if (transport->lookup_.valid()) {
    transport->lookup_.wait_for(transport->options_.first_lookup_wait);
  }
  transport->TakeLookup();
  if (!transport->lookup_status_.ok() && transport->is_address_) return transport->lookup_status_;
  if (!transport->addresses_.empty()) {
    const int error = transport->ConnectAny();
    if (error == EAFNOSUPPORT) {
      return absl::FailedPreconditionError(
          fmt::format("{}: this host does not support the address family of {}; use the other one, "
                      "or enable IPv6",
                      transport->name_, transport->addresses_.front().ToString()));
    }
    if (error == EMFILE || error == ENFILE || error == ENOMEM) {
      return absl::ResourceExhaustedError(
          fmt::format("{}: no socket could be opened: {}; raise the limit of open files",
                      transport->name_, std::strerror(error)));
    }
  }
  return transport;
}

void UdpTransport::StartLookup() {
  last_lookup_ = Clock::now();
  std::packaged_task<Addresses()> task(
      [resolve = options_.resolve, url = url_] { return resolve(url); });
  lookup_ = task.get_future();
  if (is_address_) {
    task();
    return;
  }
  // Detached, because a resolver may wait for a dead server much longer than we may for our exit,
  // and cannot be interrupted. The task owns all that it touches.
  try {
    std::thread(std::move(task)).detach();
  } catch (const std::system_error& error) {
    lookup_ = {};
    lookup_status_ = absl::UnavailableError(
        fmt::format("host {} cannot be looked up: no thread could be started: {}; raise the limit "
                    "of processes",
                    url_.host, error.what()));
  }
}

void UdpTransport::TakeLookup() {
  if (!lookup_.valid()) return;
  if (lookup_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    if (addresses_.empty()) {
      lookup_status_ = absl::UnavailableError(
          fmt::format("host {} is still being looked up; check the resolver (/etc/resolv.conf) if "
                      "this lasts",
                      url_.host));
    }
    return;
  }
  Addresses found = lookup_.get();
  lookup_status_ = found.status();
  // Addresses that worked are kept while the resolver does not.
  if (!found.ok() || *found == addresses_) return;
  addresses_ = *std::move(found);
  current_ = 0;
  socket_ = Socket();
}

void UdpTransport::LookUpAgainIfDue() {
  if (is_address_ || lookup_.valid()) return;
  if (Clock::now() - last_lookup_ >= options_.lookup_interval) StartLookup();
}

int UdpTransport::ConnectAny() {
  int first_error = 0;
  for (size_t i = 0; i < addresses_.size(); ++i) {
    const size_t candidate = (current_ + i) % addresses_.size();
    int error = 0;
    Socket opened = OpenUdpSender(addresses_[candidate], error);
    if (error == 0) error = Connect(opened, addresses_[candidate]);
    if (error == 0) {
      socket_ = std::move(opened);
      current_ = candidate;
      return 0;
    }
    if (first_error == 0) first_error = error;
  }
  return first_error;
}

absl::Status UdpTransport::Send(std::span<const uint8_t> message) {
  TakeLookup();
  if (addresses_.empty()) {
    LookUpAgainIfDue();
    return absl::UnavailableError(
        fmt::format("{}: {}", name_, std::string(lookup_status_.message())));
  }
  int error = socket_ ? 0 : ConnectAny();
  if (error == 0) error = SendDatagram(socket_, message);
  if (error == 0) return absl::OkStatus();

  const absl::Status status = ErrorOf(error, message.size());
  LookUpAgainIfDue();
  if (error == ECONNREFUSED) {
    // A name with several addresses may be served on one of them only: "localhost" is ::1 and
    // 127.0.0.1.
    if (addresses_.size() > 1) {
      current_ = (current_ + 1) % addresses_.size();
      socket_ = Socket();
      error = ConnectAny();
    } else {
      error = 0;
    }
    if (error == 0) error = SendDatagram(socket_, message);
    if (error != 0 && error != ECONNREFUSED) return ErrorOf(error, message.size());
  }
  return status;
}

absl::Status UdpTransport::ErrorOf(int error, size_t octets) const {
  const SocketAddress& address = addresses_[current_];
  const std::string place =
      is_address_ ? name_ : fmt::format("{} ({})", name_, address.ToString());
  const size_t largest = error == EMSGSIZE && socket_ ? LargestPayload(socket_, address) : 0;
  return SendError(place, error, octets, largest);
}

}  // namespace sockflow::transport
