// SPDX-License-Identifier: MIT
#include "transport/secure_transport.h"

#include <utility>

#include "transport/dtls_transport.h"
#include "transport/tls_context.h"
#include "transport/tls_transport.h"

namespace sockflow::transport {

absl::Status TlsSupport() { return absl::OkStatus(); }

absl::StatusOr<std::unique_ptr<Transport>> MakeSecureTransport(const Url& url, TlsOptions options,
                                                               std::vector<std::string>& warnings) {
  const bool datagrams = url.scheme == "dtls";
  auto context = TlsContext::Load(std::move(options),
                                  datagrams ? TlsContext::kDatagrams : TlsContext::kStream);
  if (!context.ok()) return context.status();
  if (!context->warning().empty()) warnings.push_back(context->warning());
  if (datagrams) return std::make_unique<DtlsTransport>(url, *std::move(context));
  return std::make_unique<TlsTransport>(url, *std::move(context));
}

}  // namespace sockflow::transport
