// SPDX-License-Identifier: MIT
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <span>

#include "agent/host.h"
#include "fmt/format.h"

namespace sockflow {
namespace {

std::string ListInterfaces() {
  std::string list;
  const std::unique_ptr<struct if_nameindex, void (*)(struct if_nameindex*)> all(
      if_nameindex(), if_freenameindex);
  for (const struct if_nameindex* one = all.get(); one != nullptr && one->if_index != 0; ++one) {
    list += fmt::format("{}{}", list.empty() ? "" : ", ", one->if_name);
  }
  return list;
}

// Other kinds of address are none of a TCP session.
void Insert(const sockaddr* address, SessionFilter::Addresses& addresses) {
  if (address == nullptr) return;
  if (address->sa_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in*>(address)->sin_addr;
    addresses.insert(IpAddress::V4(
        std::span<const uint8_t, 4>(reinterpret_cast<const uint8_t*>(&v4.s_addr), 4)));
  } else if (address->sa_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
    addresses.insert(IpAddress::V6(std::span<const uint8_t, 16>(v6.s6_addr)));
  }
}

}  // namespace

absl::StatusOr<SessionFilter::Interface> FindInterface(const std::string& name) {
  if (if_nametoindex(name.c_str()) == 0) {
    return absl::NotFoundError(fmt::format("no network interface \"{}\"; there are: {}, or \"any\"",
                                           name, ListInterfaces()));
  }
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) {
    return absl::InternalError(fmt::format("cannot list interface addresses: {}", strerror(errno)));
  }
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, freeifaddrs);
  SessionFilter::Interface interface;
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (name != one->ifa_name) continue;
    Insert(one->ifa_addr, interface.addresses);
    interface.is_loopback = (one->ifa_flags & IFF_LOOPBACK) != 0;
  }
  return interface;
}

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
    Insert(one->ai_addr, addresses);
  }
  return addresses;
}

std::string HostName() {
  char name[256] = {};
  // Too long or not there: no name.
  return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

uint32_t ProcessId() { return static_cast<uint32_t>(getpid()); }

}  // namespace sockflow
