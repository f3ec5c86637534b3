// SPDX-License-Identifier: MIT
#include "transport/cannot_listen.h"

#include <cerrno>
#include <cstring>

#include "fmt/format.h"

namespace sockflow::transport {

absl::Status CannotListen(const Url& url, int error) {
  const std::string start = fmt::format("cannot listen on {}: ", url.ToString());
  switch (error) {
    case EADDRINUSE:
      return absl::AlreadyExistsError(fmt::format(
          "{}port {} is in use; stop the program that has it (\"ss -{}lpn sport = :{}\" names it) "
          "or listen on another port",
          start, url.port, url.scheme.front(), url.port));
    case EADDRNOTAVAIL:
      return absl::NotFoundError(fmt::format(
          "{}this host has no address {}; \"ip address\" lists those it has", start, url.host));
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(
          fmt::format("{}port {} is not allowed; run as root, give CAP_NET_BIND_SERVICE or use a "
                      "port from 1024 on",
                      start, url.port));
    case EAFNOSUPPORT:
      return absl::FailedPreconditionError(
          fmt::format("{}this host does not support the address family; use an IPv4 address or "
                      "enable IPv6",
                      start));
    default:
      return absl::UnknownError(fmt::format("{}{}", start, std::strerror(error)));
  }
}

}  // namespace sockflow::transport
