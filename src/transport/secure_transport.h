// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sockflow/transport.h"
#include "transport/url.h"

namespace sockflow::transport {

// Who the two ends of TLS and DTLS are (RFC 7011 11.3). Files are PEM, and are read again for each
// session, so that certificates may be renewed.
struct TlsOptions {
  std::string ca;           // who may certify the collector: a file, or a directory made with "openssl
                            // rehash"; empty: the CAs that this system trusts
  std::string certificate;  // ours, with those of its CAs after it; with `key`, or neither
  std::string key;          // not encrypted
  std::string server_name;  // that the collector's certificate must show; empty: the URL's host
};

// OK if this program has TLS and DTLS; else kUnimplemented and what to do.
absl::Status TlsSupport();

// A transport to a URL whose scheme is tls or dtls. The error names the key (tls.ca, ...) and the file
// that is missing or wrong, and the remedy. `warnings` gets what is odd but no error.
absl::StatusOr<std::unique_ptr<Transport>> MakeSecureTransport(const Url& url, TlsOptions options,
                                                               std::vector<std::string>& warnings);

}  // namespace sockflow::transport
