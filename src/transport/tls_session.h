// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "transport/openssl.h"
#include "transport/tls_bio.h"
#include "transport/tls_context.h"
#include "transport/tls_failure.h"
#include "transport/waiter.h"

namespace sockflow::transport {

// One session of TLS or DTLS as a client, which trusts only a collector whose certificate is certified
// by the context's CAs and shows the right name (RFC 7011 11.3).
class TlsSession {
 public:
  using Clock = std::chrono::steady_clock;

  // `place` names the collector in errors, `host` is the URL's. The wire must live as long.
  static absl::StatusOr<std::unique_ptr<TlsSession>> Make(const TlsContext& context,
                                                          const std::string& host,
                                                          const std::string& place, TlsWire& wire);

  // The error says in one sentence why there is no session, and the remedy: kUnauthenticated if it is
  // about certificates, kDeadlineExceeded, kCancelled (the waiter was woken), else kUnavailable.
  absl::Status ShakeHands(Waiter& waiter, Clock::time_point deadline);

  // Makes records of the octets and transmits them. An errno value, that of the wire if it has one.
  int Write(std::span<const uint8_t> octets);
  // Takes and forgets what the collector says, as much as is there, within limits; an error if it ends
  // the session.
  absl::Status Take();
  // Tells the collector that nothing more comes (close_notify).
  void End();

  // DTLS: the longest message that one datagram can carry now.
  size_t LargestMessage();

 private:
  using SslPtr = std::unique_ptr<SSL, FreeWith<SSL_free>>;

  TlsSession(const TlsContext& context, const std::string& host, const std::string& place,
             TlsWire& wire);

  bool Configure();
  void SetMtu();
  absl::Status AwaitVerdict(Waiter& waiter, Clock::time_point deadline);
  // Waits for what `events` says, or for DTLS's timer.
  absl::Status Wait(Waiter& waiter, int events, Clock::time_point deadline);
  absl::Status Failure();

  TlsWire& wire_;
  TlsCircumstances circumstances_;
  std::string name_;  // that the certificate must show
  TlsBio bio_;
  bool heard_ = false;  // anything of the collector since the handshake
  SslPtr ssl_;          // after bio_, which it uses
};

}  // namespace sockflow::transport
