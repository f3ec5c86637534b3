// SPDX-License-Identifier: MIT
#include "source/pcap/local_addresses.h"

#include <chrono>

#include "source/interfaces.h"

namespace sockflow::pcap {
namespace {

constexpr auto kLookInterval = std::chrono::seconds(1);

}  // namespace

bool LocalAddresses::Contains(const IpAddress& address, Time now) {
  if (address.is_loopback() || addresses_.contains(address)) return true;
  // A clock that was set back must not stop the looking.
  if (now < next_look_ && next_look_ - now <= kLookInterval) return false;
  next_look_ = now + kLookInterval;
  const auto interfaces = ListInterfaces();
  if (!interfaces.ok()) return false;
  addresses_.clear();
  for (const NetworkInterface& interface : *interfaces) {
    addresses_.insert(interface.addresses.begin(), interface.addresses.end());
  }
  return addresses_.contains(address);
}

}  // namespace sockflow::pcap
