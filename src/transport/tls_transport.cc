// SPDX-License-Identifier: MIT
#include "transport/tls_transport.h"

#include <cerrno>

namespace sockflow::transport {
namespace {

// How much is encrypted ahead of a write: as much as one takes, and not more to keep if the collector
// stops.
constexpr uint64_t kMostAhead = 64 << 10;

}  // namespace

// Records wait in the connection for their turn, so that OpenSSL, which would insist on having its
// last octets taken before it does anything else, never has to wait.
class TlsTransport::Wire final : public TlsWire {
 public:
  explicit Wire(Connection& connection) : connection_(connection) {}

  int fd() const override { return connection_.fd(); }
  int Receive(std::span<uint8_t> octets, size_t& taken) override {
    const int error = connection_.Read(octets, taken);
    return error == 0 && taken == 0 ? ESHUTDOWN : error;
  }
  int Transmit(std::span<const uint8_t> octets) override {
    connection_.Append(octets);
    return 0;
  }
  int Flush() override { return connection_.Flush(); }

 private:
  Connection& connection_;
};

TlsTransport::TlsTransport(const Url& url, TlsContext context, Lookup::Resolver resolve)
    : StreamTransport(url, std::move(resolve)), host_(url.host), context_(std::move(context)) {}

TlsTransport::~TlsTransport() = default;

absl::Status TlsTransport::Begin(Connection& connection, Waiter& waiter,
                                 Clock::time_point deadline) {
  if (absl::Status status = context_.Reload(); !status.ok()) return status;
  session_ = nullptr;
  wire_ = std::make_unique<Wire>(connection);
  auto session = TlsSession::Make(context_, host_, place(), *wire_);
  if (!session.ok()) return session.status();
  session_ = *std::move(session);
  return session_->ShakeHands(waiter, deadline);
}

absl::Status TlsTransport::Put(Connection& connection, Messages messages) {
  const uint64_t begin = connection.end_offset();
  for (const auto& message : messages) {
    if (connection.end_offset() - begin >= kMostAhead) break;
    if (const int error = session_->Write(message); error != 0) {
      return ConnectionError(place(), error);
    }
    Accepted(connection.end_offset());
  }
  return absl::OkStatus();
}

absl::Status TlsTransport::Take(Connection& connection) {
  absl::Status status = session_->Take();
  if (!status.ok()) connection.Flush();  // the alert, if it was ours to send one
  return status;
}

void TlsTransport::End(Connection&) { session_->End(); }

}  // namespace sockflow::transport
