// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace sockflow::testing {

// A router on the way of a connect that says by ICMP that it cannot reach the host. Ends the process if that
// fails. Needs root.
class UnreachableRouter {
 public:
  // Sees the packets of the loopback interface from now on.
  UnreachableRouter();
  ~UnreachableRouter();
  UnreachableRouter(const UnreachableRouter&) = delete;
  UnreachableRouter& operator=(const UnreachableRouter&) = delete;

  // Waits for a SYN to the port, and reports to who sent it.
  void Report(uint16_t port);

 private:
  int packets_;
};

}  // namespace sockflow::testing
