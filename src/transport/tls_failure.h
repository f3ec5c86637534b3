// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "transport/openssl.h"

// Says in one sentence why there is no TLS or DTLS session, or no more, and what to do about it.
namespace sockflow::transport {

// The collector's certificate, or one of its CAs, that we do not accept.
struct RejectedCertificate {
  static RejectedCertificate From(X509_STORE_CTX& store);

  int error = 0;       // X509_V_ERR_...
  std::string subject;
  std::string issuer;
  std::string names;  // that it shows: "a.example, 192.0.2.1"
  std::string not_before;
  std::string not_after;
};

struct TlsCircumstances {
  std::string place;
  const char* protocol = "TLS";
  std::string expected_name;
  std::string certificate;  // the file of ours; empty: none
  bool asked_for_certificate = false;
  bool in_session = false;  // the handshake is over
  std::optional<RejectedCertificate> rejected;
};

// `error` is of OpenSSL's queue. kUnauthenticated if it is about certificates, else kUnavailable.
absl::Status ExplainTlsError(const TlsCircumstances& circumstances, unsigned long error);
// `error` is an errno value of the wire; ESHUTDOWN: closed.
absl::Status ExplainWireError(const TlsCircumstances& circumstances, int error);
// kDeadlineExceeded
absl::Status HandshakeTimedOut(const TlsCircumstances& circumstances);
// kCancelled
absl::Status HandshakeInterrupted(const TlsCircumstances& circumstances);

}  // namespace sockflow::transport
