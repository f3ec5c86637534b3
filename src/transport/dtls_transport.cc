// SPDX-License-Identifier: MIT
#include "transport/dtls_transport.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "fmt/format.h"
#include "transport/udp_transport.h"

namespace sockflow::transport {

class DtlsTransport::Wire final : public TlsWire {
 public:
  Wire(Socket socket, const SocketAddress& address)
      : socket_(std::move(socket)), address_(address) {}

  int fd() const override { return socket_.fd(); }
  int Receive(std::span<uint8_t> octets, size_t& taken) override {
    const int error = ReadNow(socket_, octets, taken);
    // Too long is news of what we sent; an empty datagram is no news.
    return error == EMSGSIZE || (error == 0 && taken == 0) ? EAGAIN : error;
  }
  int Transmit(std::span<const uint8_t> octets) override {
    size_t written = 0;
    const int error = WriteNow(socket_, {&octets, 1}, written);
    // Parts of the handshake are sent again after a while, and then as long as fits.
    return !in_session && (error == EMSGSIZE || error == ENOBUFS) ? 0 : error;
  }
  size_t LargestDatagram() override { return LargestPayload(socket_, address_); }

  bool in_session = false;

 private:
  Socket socket_;
  SocketAddress address_;
};

DtlsTransport::DtlsTransport(const Url& url, TlsContext context, Options options)
    : url_(url),
      name_(url.ToString()),
      context_(std::move(context)),
      options_(std::move(options)),
      lookup_(url, options_.resolve) {}

DtlsTransport::~DtlsTransport() = default;

int DtlsTransport::fd() const { return session_ ? wire_->fd() : -1; }

Transport::Clock::time_point DtlsTransport::next_check() const {
  return session_ ? session_end_ : Clock::time_point::max();
}

void DtlsTransport::End() {
  session_ = nullptr;
  wire_ = nullptr;
}

absl::Status DtlsTransport::Open(Waiter& waiter, Clock::time_point deadline) {
  End();
  if (absl::Status status = context_.Reload(); !status.ok()) return status;
  lookup_.Start();
  const Lookup::Addresses addresses = lookup_.Get(waiter, deadline);
  if (!addresses.ok()) {
    return absl::Status(addresses.status().code(),
                        fmt::format("{}: {}", name_, std::string(addresses.status().message())));
  }
  absl::Status status;
  for (size_t i = 0; i < addresses->size(); ++i) {
    const auto now = Clock::now();
    const auto share = std::max(deadline - now, Clock::duration::zero()) /
                       static_cast<Clock::rep>(addresses->size() - i);
    status = OpenAt((*addresses)[i], waiter, now + share);
    if (status.ok()) return status;
    End();
    if (status.code() == absl::StatusCode::kCancelled) break;
  }
  return status;
}

absl::Status DtlsTransport::OpenAt(const SocketAddress& address, Waiter& waiter,
                                   Clock::time_point deadline) {
  place_ = lookup_.is_address() ? name_ : fmt::format("{} ({})", name_, address.ToString());
  int error = 0;
  Socket opened = OpenUdpSender(address, error);
  if (error == 0) error = Connect(opened, address);
  if (error != 0) return SendError(place_, error, 0, 0);
  wire_ = std::make_unique<Wire>(std::move(opened), address);
  auto session = TlsSession::Make(context_, url_.host, place_, *wire_);
  if (!session.ok()) return session.status();
  session_ = *std::move(session);
  absl::Status status = session_->ShakeHands(waiter, deadline);
  wire_->in_session = true;
  session_end_ = Clock::now() + options_.session_time;
  return status;
}

Transport::Result DtlsTransport::Send(Messages messages, Waiter& waiter,
                                      Clock::time_point deadline) {
  if (Result result = Check(); result.outcome != Outcome::kAll) return result;
  if (!session_) {
    return {0, Outcome::kSessionOver,
            absl::FailedPreconditionError(fmt::format("{}: there is no session", name_))};
  }
  Result result;
  size_t largest = session_->LargestMessage();
  while (result.accepted < messages.size()) {
    const auto& message = messages[result.accepted];
    const int error = message.size() > largest ? EMSGSIZE : session_->Write(message);
    if (error == 0) {
      ++result.accepted;
      continue;
    }
    if (error == EAGAIN) {
      result.outcome = Outcome::kBusy;
      if (Clock::now() >= deadline) return result;
      if (waiter.Wait(wire_->fd(), Waiter::kWritable, deadline) == 0) return result;
      result.outcome = Outcome::kAll;
      continue;
    }
    // The kernel may have learned meanwhile what the path takes.
    if (error == EMSGSIZE) largest = session_->LargestMessage();
    result.outcome = error == ECONNREFUSED || error == EPROTO ? Outcome::kSessionOver
                                                              : Outcome::kMessageLost;
    result.status = SendError(place_, error, message.size(), largest);
    if (result.outcome == Outcome::kSessionOver) End();
    return result;
  }
  return result;
}

Transport::Result DtlsTransport::Check() {
  if (!session_) return {};
  Result result;
  result.status = session_->Take();
  const bool expired = Clock::now() >= session_end_;
  if (result.status.ok() && !expired) return result;
  result.outcome = Outcome::kSessionOver;
  if (result.status.ok()) session_->End();
  End();
  return result;
}

absl::Status DtlsTransport::Close(Waiter&, Clock::time_point) {
  if (session_) session_->End();
  End();
  return absl::OkStatus();
}

}  // namespace sockflow::transport
