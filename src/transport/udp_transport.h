// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "sockflow/transport.h"
#include "transport/lookup.h"
#include "transport/socket.h"
#include "transport/udp_sender.h"
#include "transport/url.h"

namespace sockflow::transport {

// Why a datagram of so many octets (0: an earlier one, whose length is not known) could not be sent
// to `place`, by errno. Codes: kFailedPrecondition refused, nothing listens there; kNotFound no
// route; kResourceExhausted the socket's buffer is full; kAborted the interface's queue is full;
// kOutOfRange too long for the path, of which `largest` is known to fit (0: not known);
// kPermissionDenied a firewall of this host; kUnknown anything else.
absl::Status SendError(const std::string& place, int error, size_t octets, size_t largest);

// Sends each message as one UDP datagram that is never fragmented (RFC 7011 10.3), in batches:
// those of equal length one after the other cost little more than one.
//
// What the network refuses (ICMP) is known only when other messages are sent. For each message that
// was accepted and then refused a later one is reported as lost (kMessageLost), although it is sent
// and most likely arrives: the errors count the lost messages rightly in sum, as far as the network
// tells of them.
//
// The addresses of a name are alternatives ("localhost" is ::1 and 127.0.0.1). If there are
// several, a refusal ends the session (kSessionOver, the status says which), and Open begins with
// the next one: it is worth opening at once. unconfirmed() then tells how many messages were
// refused, most likely the last ones. The same holds for refusals that come before Close.
class UdpTransport : public Transport {
 public:
  struct Options {
    // A name is looked up again at most this often, unless it has no address at all.
    std::chrono::nanoseconds lookup_interval = std::chrono::seconds(30);
    Lookup::Resolver resolve = Lookup::SystemResolver;
  };

  explicit UdpTransport(const Url& url) : UdpTransport(url, Options()) {}
  UdpTransport(const Url& url, Options options);

  // kUnavailable: the name has no address, or not yet; kFailedPrecondition: this host has no such
  // addresses; kResourceExhausted: no socket left; else as SendError. Waits for a name only.
  absl::Status Open(Waiter& waiter, Clock::time_point deadline) override;
  // Statuses are those of SendError; that of kBusy says which queue is full.
  Result Send(Messages messages, Waiter& waiter, Clock::time_point deadline) override;
  size_t unconfirmed() override { return unconfirmed_; }
  // Looks the name up; the answer counts at the next Check.
  Result Check() override;
  int fd() const override;
  // Nothing has to be sent. The error says that earlier messages were refused.
  absl::Status Close(Waiter& waiter, Clock::time_point deadline) override;
  bool forgets_templates() const override { return true; }
  const std::string& name() const override { return name_; }

 private:
  // Connects to the first address from `current_` on that takes it.
  absl::Status Connect();
  void StartLookup();
  // Counts what the far side and the path said; true if there was something.
  bool TakeNews();
  // Another address may do better than the one that the last news is of.
  bool HasAlternative() const;
  // Waits until the kernel may take more; false if it will not before the deadline.
  bool WaitForRoom(int error, Waiter& waiter, Clock::time_point deadline) const;
  Result MoveOn(size_t accepted);
  void EndSession();
  absl::Status ErrorOf(int error, size_t octets) const;

  Options options_;
  std::string name_;
  Lookup lookup_;
  Clock::time_point last_lookup_ = Clock::time_point::min();
  std::vector<SocketAddress> addresses_;
  size_t current_ = 0;                 // the one of addresses_ that is used
  std::unique_ptr<UdpSender> sender_;  // of the session; null: none
  bool segmentation_ = false;          // the kernel and the route take runs
  size_t lost_ = 0;                    // accepted, refused later, and not yet reported
  int last_news_ = 0;                  // the errno value of the last of them
  size_t unconfirmed_ = 0;
};

}  // namespace sockflow::transport
