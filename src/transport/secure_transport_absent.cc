// SPDX-License-Identifier: MIT
#include "transport/secure_transport.h"

// Stands in for secure_transport.cc where OpenSSL is not wanted.
namespace sockflow::transport {

absl::Status TlsSupport() {
  return absl::UnimplementedError(
      "this sockflow was built without TLS (SOCKFLOW_TLS=OFF); use one with it, or tcp:// or udp://");
}

absl::StatusOr<std::unique_ptr<Transport>> MakeSecureTransport(const Url&, TlsOptions,
                                                               std::vector<std::string>&) {
  return TlsSupport();
}

}  // namespace sockflow::transport
