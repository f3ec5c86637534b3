// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "sockflow/transport.h"
#include "transport/connection.h"
#include "transport/lookup.h"
#include "transport/url.h"
#include "transport/waiter.h"

namespace sockflow::transport {

// Sends messages over a connection (RFC 7011 10.2, 10.4): all that SCTP, TCP and TLS have in common.
// What they do not is in the functions at its end.
//
// A collector that closes its end no longer wants messages (RFC 7011 10.2.4, 10.4.4): that ends the
// session. It should read what is on its way, so the connection is kept until the next Open, and
// unconfirmed() goes down while it does.
//
// unconfirmed() counts messages that the collector's kernel has not acknowledged. What that kernel has
// and the collector never read from it, neither protocol tells.
//
// Wakes of the waiter end Open and Send, but not Close, which has its deadline: the wake may be the one
// that told its caller to close.
class StreamTransport : public Transport {
 public:
  absl::Status Open(Waiter& waiter, Clock::time_point deadline) final;
  // kBusy also if all messages are accepted, but the transport keeps the rest of the last.
  Result Send(Messages messages, Waiter& waiter, Clock::time_point deadline) final;
  size_t unconfirmed() final;
  Result Check() final;
  int fd() const final { return open_ ? connection_->fd() : -1; }
  absl::Status Close(Waiter& waiter, Clock::time_point deadline) final;
  bool forgets_templates() const final { return false; }
  const std::string& name() const final { return name_; }

  // Octets that collectors sent, which mean nothing to IPFIX: read and forgotten.
  uint64_t received_octets() const;

 protected:
  StreamTransport(const Url& url, Lookup::Resolver resolve);

  // The collector in messages: its name, with the address that it has now.
  std::string place() const;
  // For Put: a message ends before this offset of the connection.
  void Accepted(uint64_t end_offset) { ends_.push_back(end_offset); }

 private:
  // As MakeConnection.
  virtual std::unique_ptr<Connection> Make(const SocketAddress& address, int& error);
  // Begins a session in a new connection.
  virtual absl::Status Begin(Connection&, Waiter&, Clock::time_point) { return absl::OkStatus(); }
  // Takes messages, from the first on, while the connection, which keeps nothing yet, has room; calls
  // Accepted() for each. kOutOfRange: the next one is lost; any other error: the session is over.
  virtual absl::Status Put(Connection& connection, Messages messages);
  // Takes and forgets what the collector says; an error if it ends the session.
  virtual absl::Status Take(Connection& connection);
  // Appends what ends a session, if anything does.
  virtual void End(Connection&) {}

  Result Over(size_t accepted, absl::Status status);
  absl::Status Finish(Waiter& waiter, Clock::time_point deadline);

  std::string name_;
  Lookup lookup_;
  std::unique_ptr<Connection> connection_;
  bool open_ = false;
  std::deque<uint64_t> ends_;       // of the messages that are not acknowledged, as offsets
  uint64_t received_octets_ = 0;  // by connections before this one
};

}  // namespace sockflow::transport
