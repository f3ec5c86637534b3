// SPDX-License-Identifier: MIT
#include "transport/stream_transport.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "fmt/format.h"
#include "transport/tcp_connection.h"

namespace sockflow::transport {
namespace {

constexpr int kBothWays = Waiter::kReadable | Waiter::kWritable;

// Until a kernel that had no memory is asked again.
constexpr std::chrono::milliseconds kMemoryWait{10};

// How long a collector that has everything may take to close its end.
constexpr std::chrono::milliseconds kCloseWait{1000};

}  // namespace

StreamTransport::StreamTransport(const Url& url, Lookup::Resolver resolve)
    : name_(url.ToString()), lookup_(url, std::move(resolve)) {}

std::string StreamTransport::place() const {
  if (connection_ == nullptr || lookup_.is_address()) return name_;
  return fmt::format("{} ({})", name_, connection_->peer().ToString());
}

uint64_t StreamTransport::received_octets() const {
  return received_octets_ + (connection_ != nullptr ? connection_->received_octets() : 0);
}

absl::Status StreamTransport::Open(Waiter& waiter, Clock::time_point deadline) {
  received_octets_ = received_octets();
  connection_.reset();
  ends_.clear();
  open_ = false;

  lookup_.Start();
  const Lookup::Addresses addresses = lookup_.Get(waiter, deadline);
  if (!addresses.ok()) {
    return absl::Status(addresses.status().code(),
                        fmt::format("{}: {}", name_, std::string(addresses.status().message())));
  }
  auto connected = ConnectToAny(
      name_, *addresses,
      [this](const SocketAddress& address, int& error) { return Make(address, error); }, waiter,
      deadline);
  if (!connected.ok()) return connected.status();
  connection_ = *std::move(connected);
  absl::Status status = Begin(*connection_, waiter, deadline);
  open_ = status.ok();
  if (!open_) {
    received_octets_ = received_octets();
    connection_.reset();
  }
  return status;
}

Transport::Result StreamTransport::Over(size_t accepted, absl::Status status) {
  connection_->Finish();
  open_ = false;
  return {accepted, Outcome::kSessionOver, std::move(status)};
}

Transport::Result StreamTransport::Send(Messages messages, Waiter& waiter,
                                        Clock::time_point deadline) {
  if (!open_) {
    return {0, Outcome::kSessionOver,
            absl::FailedPreconditionError(fmt::format("{}: there is no session", name_))};
  }
  // Before writing: a peer that has closed its end takes what is written next and loses it.
  if (absl::Status status = Take(*connection_); !status.ok()) return Over(0, std::move(status));
  unconfirmed();  // forgets what is acknowledged
  size_t accepted = 0;
  int ready = 0;
  while (true) {
    const uint64_t written = connection_->written_offset();
    const int error = connection_->Flush();
    if (error != 0 && error != EAGAIN) return Over(accepted, ConnectionError(place(), error));
    if (error == 0) {
      if (accepted == messages.size()) return {accepted, Outcome::kAll, {}};
      const size_t before = ends_.size();
      absl::Status status = Put(*connection_, messages.subspan(accepted));
      accepted += ends_.size() - before;
      if (absl::IsOutOfRange(status)) return {accepted, Outcome::kMessageLost, std::move(status)};
      if (!status.ok()) return Over(accepted, std::move(status));
      if (ends_.size() > before) continue;
    }
    const auto now = Clock::now();
    if (now >= deadline) return {accepted, Outcome::kBusy, {}};
    // A kernel that is short of memory says that there is room and takes nothing all the same.
    const bool in_vain = (ready & Waiter::kWritable) && connection_->written_offset() == written;
    const auto limit = in_vain ? std::min(deadline, now + kMemoryWait) : deadline;
    ready = waiter.Wait(connection_->fd(), in_vain ? Waiter::kReadable : kBothWays, limit);
    if (ready == 0 && !(in_vain && Clock::now() >= limit)) return {accepted, Outcome::kBusy, {}};
    if (ready & Waiter::kReadable) {
      if (absl::Status status = Take(*connection_); !status.ok()) {
        return Over(accepted, std::move(status));
      }
    }
  }
}

size_t StreamTransport::unconfirmed() {
  if (connection_ != nullptr && !ends_.empty()) {
    const uint64_t acknowledged = connection_->acknowledged_offset();
    while (!ends_.empty() && ends_.front() <= acknowledged) ends_.pop_front();
  }
  return ends_.size();
}

std::unique_ptr<Connection> StreamTransport::Make(const SocketAddress& address, int& error) {
  return TcpConnection::Make(address, error);
}

absl::Status StreamTransport::Put(Connection& connection, Messages messages) {
  uint64_t end = connection.end_offset();
  size_t begun = 0;
  const int error = connection.Write(messages, begun);
  for (const auto& message : messages.first(begun)) Accepted(end += message.size());
  if (error != 0 && error != EAGAIN) return ConnectionError(place(), error);
  return absl::OkStatus();
}

absl::Status StreamTransport::Take(Connection& connection) {
  const int error = connection.Discard();
  return error == 0 ? absl::OkStatus() : ConnectionError(place(), error);
}

Transport::Result StreamTransport::Check() {
  if (!open_) return {};
  absl::Status status = Take(*connection_);
  if (!status.ok()) return Over(0, std::move(status));
  // What the peer said may have asked for an answer.
  const int error = connection_->Flush();
  if (error != 0 && error != EAGAIN) return Over(0, ConnectionError(place(), error));
  return {};
}

absl::Status StreamTransport::Close(Waiter& waiter, Clock::time_point deadline) {
  if (!open_) return absl::OkStatus();
  absl::Status status = Finish(waiter, deadline);
  if (const size_t count = unconfirmed(); count > 0) {
    const std::string why =
        status.ok() ? fmt::format("{}: the collector did not take everything before the deadline; see "
                                  "whether it still reads",
                                  place())
                    : std::string(status.message());
    status = absl::UnavailableError(
        fmt::format("{} (the last {} messages may be lost)", why, count));
  } else {
    status = absl::OkStatus();
  }
  // What is with the kernel it goes on sending for a while: some of the messages that may be lost are
  // not, and one that is sent again arrives twice.
  received_octets_ = received_octets();
  connection_.reset();
  open_ = false;
  return status;
}

absl::Status StreamTransport::Finish(Waiter& waiter, Clock::time_point deadline) {
  End(*connection_);
  while (true) {
    const int error = connection_->Flush();
    if (error == 0) break;
    if (error != EAGAIN) return ConnectionError(place(), error);
    if (Clock::now() >= deadline) return absl::OkStatus();
    waiter.Wait(connection_->fd(), Waiter::kWritable, deadline);
  }
  connection_->Finish();
  // The acknowledgement of the last octet is no event that one can wait for, but a collector that has
  // read all closes its end, which is one.
  bool peer_closed = false;
  auto limit = deadline;
  auto step = std::chrono::milliseconds(1);
  while (true) {
    if (!peer_closed) {
      const int error = connection_->Discard();
      peer_closed = error == ESHUTDOWN;
      if (error != 0 && !peer_closed) return ConnectionError(place(), error);
    }
    const auto now = Clock::now();
    if (connection_->acknowledged_offset() == connection_->end_offset()) {
      if (peer_closed) return absl::OkStatus();
      limit = std::min(limit, now + kCloseWait);
    }
    if (now >= limit) return absl::OkStatus();
    waiter.Wait(peer_closed ? -1 : connection_->fd(), Waiter::kReadable,
                std::min(limit, now + step));
    step = std::min(2 * step, std::chrono::milliseconds(50));
  }
}

}  // namespace sockflow::transport
