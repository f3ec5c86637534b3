// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "transport/socket.h"
#include "transport/url.h"
#include "transport/waiter.h"

namespace sockflow::transport {

// The addresses of a URL's host. Asks the system's resolver in a thread that nobody has to wait for: it
// may wait for a dead server much longer than an agent may for its exit, and cannot be interrupted.
class Lookup {
 public:
  using Clock = std::chrono::steady_clock;
  using Addresses = absl::StatusOr<std::vector<SocketAddress>>;
  using Resolver = std::function<Addresses(const Url&)>;

  static Addresses SystemResolver(const Url& url) { return Resolve(url, Purpose::kSend); }

  explicit Lookup(Url url, Resolver resolve = SystemResolver);

  // Asks now, unless an answer is on its way. An address is its own answer, at once.
  void Start();
  // Waits for the answer that is on its way, at most until the deadline; then the newest good answer
  // that there ever was, or why there is none. Never an empty vector.
  Addresses Get(Waiter& waiter, Clock::time_point deadline);
  // The same without waiting.
  Addresses Get();

  // The host is an address: nothing is ever looked up.
  bool is_address() const { return is_address_; }

 private:
  struct Answer;

  Url url_;
  Resolver resolve_;
  bool is_address_;
  std::shared_ptr<Answer> pending_;
  Addresses newest_;
};

}  // namespace sockflow::transport
