// SPDX-License-Identifier: MIT
#include "transport/bound_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "transport/cannot_listen.h"

namespace sockflow::transport {

absl::StatusOr<BoundSocket> Bind(const Url& url, OpenUnbound open) {
  const absl::StatusOr<std::vector<SocketAddress>> addresses = Resolve(url, Purpose::kListen);
  if (!addresses.ok()) {
    return absl::Status(addresses.status().code(),
                        fmt::format("cannot listen on {}: {}", url.ToString(),
                                    std::string(addresses.status().message())));
  }
  int first_error = 0;
  for (const SocketAddress& address : *addresses) {
    int error = 0;
    Socket opened = open(address, error);
    if (error == 0) {
      if (address.is_v6()) {
        const int off = 0;  // [::] takes IPv4 too, whatever net.ipv6.bindv6only says
        setsockopt(opened.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
      }
      if (bind(opened.fd(), reinterpret_cast<const sockaddr*>(address.octets.data()),
               address.length) == 0) {
        BoundSocket bound{.socket = std::move(opened), .address = {}};
        bound.address.length = static_cast<uint32_t>(bound.address.octets.size());
        getsockname(bound.socket.fd(), reinterpret_cast<sockaddr*>(bound.address.octets.data()),
                    &bound.address.length);
        return bound;
      }
      error = errno;
    }
    if (first_error == 0) first_error = error;
    // Without a host, IPv4 stands in for an IPv6 that is switched off, but not for a port in use.
    if (error != EAFNOSUPPORT && error != EADDRNOTAVAIL) break;
  }
  return CannotListen(url, first_error);
}

}  // namespace sockflow::transport
