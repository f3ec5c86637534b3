// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "transport/stream_transport.h"
#include "transport/tls_context.h"
#include "transport/tls_session.h"

namespace sockflow::transport {

// Sends messages over TLS on TCP (RFC 7011 11). A message is accepted when it is encrypted; its records
// leave before anything else does. unconfirmed() counts messages by the records that TCP
// acknowledges.
class TlsTransport final : public StreamTransport {
 public:
  TlsTransport(const Url& url, TlsContext context,
               Lookup::Resolver resolve = Lookup::SystemResolver);
  ~TlsTransport() override;

 private:
  class Wire;

  absl::Status Begin(Connection& connection, Waiter& waiter,
                     Clock::time_point deadline) override;
  absl::Status Put(Connection& connection, Messages messages) override;
  absl::Status Take(Connection& connection) override;
  void End(Connection& connection) override;

  std::string host_;
  TlsContext context_;
  std::unique_ptr<Wire> wire_;
  std::unique_ptr<TlsSession> session_;  // after wire_, which it uses
};

}  // namespace sockflow::transport
