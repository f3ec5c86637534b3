// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "transport/socket.h"

namespace sockflow::transport {

// Sends datagrams over a connected UDP socket, many with one system call, and takes what the
// network says of them afterwards (ICMP). Never waits, allocates nothing after Open.
class UdpSender {
 public:
  using Messages = std::span<const std::span<const uint8_t>>;

  struct Sent {
    size_t accepted = 0;  // messages, from the first on
    int error = 0;        // if that is none: an errno value
    size_t tried = 0;     // if that is none: messages that this error refuses together
  };

  // What was said since the last time.
  struct News {
    size_t lost = 0;  // messages that were accepted and did not arrive
    int error = 0;    // an errno value: why, of the last one
  };

  // Null: the socket cannot be opened or connected, `error` (an errno value) says why.
  static std::unique_ptr<UdpSender> Open(const SocketAddress& address, int& error);
  ~UdpSender();

  // Writable when there is room again.
  int fd() const { return socket_.fd(); }

  // The kernel can cut datagrams of equal length out of one long one (UDP_SEGMENT, Linux 4.18). One
  // without it would ignore the wish, and send them as one datagram.
  bool has_segmentation() const { return has_segmentation_; }

  // Sends the first of the messages with one system call: 64, or fewer. With `segmentation`, those
  // that have the length of the one before them, or less for the last of these, pass the kernel's
  // network stack as one, which takes them all or none of them.
  Sent Send(Messages messages, bool segmentation);

  // Also clears the error that the next Send would meet, and the readiness for errors that would
  // end a wait for room. Messages that went as one and met no network card on their way are refused
  // as one, and counted each.
  News TakeNews();

  // The largest payload that fits the path; 0 if not known.
  size_t LargestPayload() const { return transport::LargestPayload(socket_, address_); }

 private:
  struct Batch;
  class Memory;

  UdpSender(Socket socket, const SocketAddress& address);

  void TakeQueuedErrors(News& news);
  // Makes the next system message of the first messages; returns how many of these it holds.
  size_t AddGroup(Messages messages, bool segmentation);

  Socket socket_;
  SocketAddress address_;
  bool has_segmentation_ = false;
  std::unique_ptr<Batch> batch_;
  std::unique_ptr<Memory> memory_;
};

}  // namespace sockflow::transport
