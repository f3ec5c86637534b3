// SPDX-License-Identifier: MIT
#pragma once

#include "absl/container/flat_hash_set.h"
#include "sockflow/ip_address.h"
#include "sockflow/time.h"

namespace sockflow::pcap {

// The addresses of this host, which tell the ends of a session that are here from those that are not.
class LocalAddresses {
 public:
  // Whether an end at this address is a socket of this host: loopback addresses always are. One that is
  // not known may just have been given to the host, so that the host is asked again, once a second at most.
  bool Contains(const IpAddress& address, Time now);

 private:
  absl::flat_hash_set<IpAddress> addresses_;
  Time next_look_ = Time::min();
};

}  // namespace sockflow::pcap
