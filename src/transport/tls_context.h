// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "transport/secure_transport.h"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace sockflow::transport {

// Our side of TLS sessions: CAs, certificate and key, and the versions that are allowed (TLS and DTLS
// from 1.2 on: what came before is deprecated, RFC 8996).
class TlsContext {
 public:
  enum Kind { kStream, kDatagrams };

  static absl::StatusOr<TlsContext> Load(TlsOptions options, Kind kind);

  // Reads the files again. On errors the context is as it was.
  absl::Status Reload();

  // "tls.certificate: FILE has expired ...": collectors will most likely refuse. Empty: none.
  const std::string& warning() const { return warning_; }
  const TlsOptions& options() const { return options_; }
  ssl_ctx_st* get() const { return context_.get(); }

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };

  TlsContext(TlsOptions options, Kind kind) : options_(std::move(options)), kind_(kind) {}

  absl::Status LoadCas(ssl_ctx_st* context) const;
  absl::Status LoadCertificate(ssl_ctx_st* context, std::string& warning) const;

  TlsOptions options_;
  Kind kind_;
  std::string warning_;
  std::unique_ptr<ssl_ctx_st, Free> context_;
};

}  // namespace sockflow::transport
