// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sockflow/transport.h"
#include "transport/lookup.h"
#include "transport/socket.h"
#include "transport/tls_context.h"
#include "transport/tls_session.h"
#include "transport/url.h"

namespace sockflow::transport {

// Sends messages over DTLS 1.2 on UDP (RFC 7011 11): each is one record in one datagram, which is never
// fragmented.
//
// A collector that was restarted has forgotten the session. It drops our records and, most do, says
// nothing: RFC 7011 11.1 asks for heartbeats (RFC 6520) for this, which OpenSSL has removed. A session
// therefore ends in order (kSessionOver, OK) after Options::session_time, and the next Open shakes
// hands anew: no more than that time is lost in silence. A collector that is away, whose host says so
// (ICMP), and one that says farewell (close_notify) end the session at once.
class DtlsTransport final : public Transport {
 public:
  struct Options {
    std::chrono::nanoseconds session_time = std::chrono::minutes(10);
    Lookup::Resolver resolve = Lookup::SystemResolver;
  };

  DtlsTransport(const Url& url, TlsContext context)
      : DtlsTransport(url, std::move(context), Options()) {}
  DtlsTransport(const Url& url, TlsContext context, Options options);
  ~DtlsTransport() override;

  // Each address of a name has its turn; the error is that of the last.
  absl::Status Open(Waiter& waiter, Clock::time_point deadline) override;
  // kMessageLost: too long for the path, or no route; the status is that of SendError.
  Result Send(Messages messages, Waiter& waiter, Clock::time_point deadline) override;
  Result Check() override;
  int fd() const override;
  Clock::time_point next_check() const override;
  absl::Status Close(Waiter& waiter, Clock::time_point deadline) override;
  bool forgets_templates() const override { return true; }
  const std::string& name() const override { return name_; }

 private:
  class Wire;

  absl::Status OpenAt(const SocketAddress& address, Waiter& waiter, Clock::time_point deadline);
  void End();

  Url url_;
  std::string name_;
  std::string place_;
  TlsContext context_;
  Options options_;
  Lookup lookup_;
  Clock::time_point session_end_{};
  std::unique_ptr<Wire> wire_;
  std::unique_ptr<TlsSession> session_;  // none: no session; after wire_, which it uses
};

}  // namespace sockflow::transport
