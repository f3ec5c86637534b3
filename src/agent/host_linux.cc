// SPDX-License-Identifier: MIT
#include <netdb.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <memory>

#include "agent/host.h"
#include "fmt/format.h"
#include "source/socket_address.h"

namespace sockflow {
absl::StatusOr<SessionFilter::Addresses> AddressesOfHost(const std::string& host) {
  if (const auto address = IpAddress::Parse(host)) return SessionFilter::Addresses{*address};
  addrinfo* list = nullptr;
  const addrinfo hints = {.ai_socktype = SOCK_STREAM};
  if (const int error = getaddrinfo(host.c_str(), nullptr, &hints, &list); error != 0) {
    return absl::NotFoundError(
        fmt::format("cannot look up \"{}\": {}; use an address", host, gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, freeaddrinfo);
  SessionFilter::Addresses addresses;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    if (const auto address = AddressOf(one->ai_addr)) addresses.insert(*address);
  }
  return addresses;
}

std::string HostName() {
  char name[256] = {};
  // Too long or not there: no name.
  return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

std::string KernelRelease() {
  utsname name{};
  return uname(&name) == 0 ? name.release : "";
}

uint32_t ProcessId() { return static_cast<uint32_t>(getpid()); }

}  // namespace sockflow
