// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sockflow/transport.h"
#include "transport/socket.h"
#include "transport/url.h"

namespace sockflow::transport {

// Why a datagram of so many octets could not be sent to `place`, by errno. Codes:
// kFailedPrecondition refused, nothing listens there; kNotFound no route; kResourceExhausted the
// socket's buffer is full; kAborted the interface's queue is full; kOutOfRange too long for the
// path, of which `largest` is known to fit (0: not known); kPermissionDenied a firewall of this
// host; kUnknown anything else.
absl::Status SendError(const std::string& place, int error, size_t octets, size_t largest);

// Sends each message as one UDP datagram (RFC 7011 10.3). Send returns SendError, or kUnavailable
// while a name has no address.
//
// A refusal is news of an earlier datagram (ICMP): the current one is sent again and most likely
// not lost, but one message is, for which Send had returned OK. Errors therefore count lost
// messages rightly in sum.
class UdpTransport : public Transport {
 public:
  using Resolver = std::function<absl::StatusOr<std::vector<SocketAddress>>(const Url&)>;

  struct Options {
    // A name that cannot be looked up, or whose host fails, is looked up again at most this often.
    std::chrono::nanoseconds lookup_interval = std::chrono::seconds(30);
    // How long Open waits for a name; a slower answer is used when it comes.
    std::chrono::nanoseconds first_lookup_wait = std::chrono::seconds(2);
    Resolver resolve = [](const Url& url) { return Resolve(url, Purpose::kSend); };
  };

  // Fails only if this host cannot send there at all, not if the far side is unknown or away.
  static absl::StatusOr<std::unique_ptr<UdpTransport>> Open(const Url& url, Options options);
  static absl::StatusOr<std::unique_ptr<UdpTransport>> Open(const Url& url);

  absl::Status Send(std::span<const uint8_t> message) override;
  bool forgets_templates() const override { return true; }
  const std::string& name() const override { return name_; }

 private:
  using Addresses = absl::StatusOr<std::vector<SocketAddress>>;
  using Clock = std::chrono::steady_clock;

  UdpTransport(const Url& url, Options options);

  void StartLookup();
  // Takes the addresses of a lookup that has ended.
  void TakeLookup();
  void LookUpAgainIfDue();
  // Opens and connects a socket to the first address from `current_` on that takes it. Returns an
  // errno value.
  int ConnectAny();
  absl::Status ErrorOf(int error, size_t octets) const;

  Url url_;
  Options options_;
  std::string name_;
  bool is_address_;
  std::future<Addresses> lookup_;
  Clock::time_point last_lookup_{};
  absl::Status lookup_status_;
  std::vector<SocketAddress> addresses_;
  size_t current_ = 0;  // the one of addresses_ that socket_ is connected to
  Socket socket_;       // connected, or none
};

}  // namespace sockflow::transport
