// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "transport/socket.h"
#include "transport/waiter.h"

namespace sockflow::transport {

// A connection, and the octets on their way through it: those that the kernel had no room for are kept
// here and written before all others. Every octet has an offset in the connection, from 0 on. What
// differs between TCP and SCTP is virtual.
// Nothing but Connect waits. Functions that return an int return an errno value; 0: done.
class Connection {
 public:
  Connection(Socket socket, const SocketAddress& peer)
      : socket_(std::move(socket)), peer_(peer) {}
  virtual ~Connection() = default;

  // Once. ETIMEDOUT: not before the deadline; ECANCELED: the waiter was woken.
  int Connect(Waiter& waiter, std::chrono::steady_clock::time_point deadline);

  int fd() const { return socket_.fd(); }
  const SocketAddress& peer() const { return peer_; }

  // Keeps octets to be written.
  void Append(std::span<const uint8_t> octets);
  bool keeps_octets() const { return begin_ < kept_.size(); }
  // Writes what is kept; EAGAIN: not all of it.
  int Flush();
  // Writes parts while there is room, if nothing is kept. `begun` of them, from the first on, are then
  // with the kernel, but for the rest of the last, which is kept.
  int Write(std::span<const std::span<const uint8_t>> parts, size_t& begun);

  // As ReadNow.
  int Read(std::span<uint8_t> octets, size_t& taken);
  // Takes what the peer said and forgets it: 0 if there is no more for now, ESHUTDOWN if the peer has
  // closed its end, or why the connection has ended. Bounded work, whatever the peer sends.
  virtual int Discard() = 0;
  uint64_t received_octets() const { return received_; }

  // No more is written; what is still kept never is.
  virtual void Finish() = 0;

  // One past the last octet that the kernel has taken.
  uint64_t written_offset() const { return written_; }
  // One past the last octet that was appended or written.
  uint64_t end_offset() const { return written_ + kept_.size() - begin_; }
  // One past the last octet that the peer's kernel has acknowledged, or one before that if it cannot be
  // known better. Right after a reset too.
  uint64_t acknowledged_offset() {
    const uint64_t unacknowledged = UnacknowledgedOctets();
    return unacknowledged < written_ ? written_ - unacknowledged : 0;
  }

 protected:
  const Socket& socket() const { return socket_; }
  void CountReceived(size_t octets) { received_ += octets; }

 private:
  // As WriteNow.
  virtual int WriteSome(std::span<const std::span<const uint8_t>> parts, size_t& written) = 0;
  // Of the octets that were written; never fewer than there are.
  virtual uint64_t UnacknowledgedOctets() = 0;

  Socket socket_;
  SocketAddress peer_;
  std::vector<uint8_t> kept_;
  size_t begin_ = 0;  // what stands before is written
  uint64_t written_ = 0;
  uint64_t received_ = 0;
};

// Makes a connection of a socket for this address, not connected yet; null: `error` is an errno value.
using MakeConnection =
    absl::FunctionRef<std::unique_ptr<Connection>(const SocketAddress& address, int& error)>;

// Connects to the first of the addresses that takes it; none may use up the time of those after it.
// `name` is the collector's in errors: kUnavailable names each address with what is wrong,
// kCancelled if the waiter was woken.
absl::StatusOr<std::unique_ptr<Connection>> ConnectToAny(
    const std::string& name, std::span<const SocketAddress> addresses, MakeConnection make,
    Waiter& waiter, std::chrono::steady_clock::time_point deadline);

// Why a connection to `place` ended, by errno, with the remedy; ESHUTDOWN: the collector closed it.
// kOutOfRange for EMSGSIZE, which ends no connection; otherwise kUnavailable.
absl::Status ConnectionError(const std::string& place, int error);

}  // namespace sockflow::transport
