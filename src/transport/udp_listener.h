// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "transport/socket.h"
#include "transport/url.h"

namespace sockflow::transport {

// Receives datagrams, many with one system call.
class UdpListener {
 public:
  struct Options {
    size_t max_datagram_octets = 65535;  // longer ones are counted and dropped
    // Asked of the kernel, which may give less to a process without CAP_NET_ADMIN
    // (net.core.rmem_max).
    size_t receive_buffer_octets = 4 << 20;
  };

  struct Stats {
    uint64_t datagrams = 0;     // delivered
    uint64_t octets = 0;        // in them
    uint64_t truncated = 0;     // dropped, longer than max_datagram_octets
    uint64_t kernel_drops = 0;  // dropped by the kernel, the receive buffer being full
  };

  // `peer` ("192.0.2.1:51000", "[2001:db8::1]:51000") tells senders apart.
  using Deliver =
      absl::FunctionRef<void(std::string_view peer, std::span<const uint8_t> datagram)>;

  static absl::StatusOr<std::unique_ptr<UdpListener>> Open(const Url& url, Options options);
  static absl::StatusOr<std::unique_ptr<UdpListener>> Open(const Url& url);
  ~UdpListener();

  // Readable when there is something to receive.
  int fd() const { return socket_.fd(); }

  // Delivers up to 64 waiting datagrams, in order; returns how many it took from the kernel.
  // Never waits. The octets are valid during the call only.
  absl::StatusOr<size_t> Receive(Deliver deliver);

  // Asks the kernel for its drops: not for every datagram.
  const Stats& stats();

  // "udp://0.0.0.0:4739": the address that was bound, with the true port if 0 was asked for.
  const std::string& name() const { return name_; }
  uint16_t port() const { return port_; }
  // What the kernel gave, in its own count (payload and bookkeeping).
  size_t receive_buffer_octets() const { return receive_buffer_octets_; }

 private:
  struct Batch;

  UdpListener(Socket socket, Options options);

  void SetKernelDrops(uint32_t total);

  Socket socket_;
  Options options_;
  std::string name_;
  uint16_t port_ = 0;
  size_t receive_buffer_octets_ = 0;
  Stats stats_;
  uint32_t last_drops_ = 0;  // the kernel's own count, which wraps
  std::unique_ptr<Batch> batch_;
};

}  // namespace sockflow::transport
