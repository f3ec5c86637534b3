// SPDX-License-Identifier: MIT
#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "fmt/format.h"
#include "source/interfaces.h"
#include "source/socket_address.h"

namespace sockflow {
absl::StatusOr<std::vector<NetworkInterface>> ListInterfaces() {
  const std::unique_ptr<struct if_nameindex, void (*)(struct if_nameindex*)> names(
      if_nameindex(), if_freenameindex);
  ifaddrs* list = nullptr;
  if (names == nullptr || getifaddrs(&list) != 0) {
    return absl::InternalError(
        fmt::format("cannot list the network interfaces: {}", strerror(errno)));
  }
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> addresses(list, freeifaddrs);
  std::vector<NetworkInterface> interfaces;
  for (const struct if_nameindex* one = names.get(); one->if_index != 0; ++one) {
    interfaces.push_back({.name = one->if_name, .index = one->if_index});
  }
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    const auto interface =
        std::find_if(interfaces.begin(), interfaces.end(),
                     [one](const NetworkInterface& i) { return i.name == one->ifa_name; });
    if (interface == interfaces.end()) continue;
    interface->is_loopback = (one->ifa_flags & IFF_LOOPBACK) != 0;
    interface->is_up = (one->ifa_flags & IFF_UP) != 0;
    if (const auto address = AddressOf(one->ifa_addr)) interface->addresses.push_back(*address);
  }
  std::sort(interfaces.begin(), interfaces.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  return interfaces;
}

absl::StatusOr<NetworkInterface> FindInterface(const std::string& name) {
  auto interfaces = ListInterfaces();
  if (!interfaces.ok()) return interfaces.status();
  // By its index, so that an alternative name finds it, too.
  const uint32_t index = if_nametoindex(name.c_str());
  std::string others;
  for (NetworkInterface& interface : *interfaces) {
    if (index != 0 && interface.index == index) return std::move(interface);
    others += fmt::format("{}{}", others.empty() ? "" : ", ", interface.name);
  }
  return absl::NotFoundError(fmt::format("no network interface \"{}\"; there are: {}, or \"any\"",
                                         name, others));
}

}  // namespace sockflow
