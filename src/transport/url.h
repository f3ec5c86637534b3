// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sockflow::transport {

// The ports that IANA gave to IPFIX: "ipfix", and "ipfixs" for TLS and DTLS (RFC 7011 11.2).
inline constexpr uint16_t kDefaultPort = 4739;
inline constexpr uint16_t kDefaultSecurePort = 4740;

// Where messages go to or come from: "udp://192.0.2.1:4739", "tcp://[2001:db8::1]", "sctp://name",
// "tls://name", "dtls://name", "file:/var/spool/sockflow", "stdout:". The last two have no host and no
// port.
struct Url {
  std::string scheme = "udp";
  std::string host;  // without brackets; empty: every address of this host (listen URLs only)
  uint16_t port = kDefaultPort;
  std::string path;  // as it stands in the URL (file only)

  // With the port, whatever it is: two URLs of the same place are the same text.
  std::string ToString() const;

  friend bool operator==(const Url&, const Url&) = default;
};

// Reads the URL of a collector to send to. Errors name the part that is wrong and what is allowed.
absl::StatusOr<Url> ParseUrl(std::string_view text);

// Reads the URL of an address to listen on: as above, and the host may be left out
// ("udp://:4739"), and the scheme is udp.
absl::StatusOr<Url> ParseListenUrl(std::string_view text);

// The text with *** for the password, and the user, of a URL or of what was meant to be one: messages
// quote what somebody wrote, and go to logs that others read. Any other text as it is.
std::string HideUser(std::string_view text);

// OK if this is an IPv4 address, an IPv6 address without brackets, or a host name. Nothing is
// looked up.
absl::Status CheckHost(std::string_view host);

// True for an address, false for a name that must be looked up.
bool IsAddress(std::string_view host);

}  // namespace sockflow::transport
