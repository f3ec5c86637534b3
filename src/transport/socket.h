// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "transport/url.h"

// What the transports need of the operating system's sockets, and nothing else of it
// (socket_linux.cc).
namespace sockflow::transport {

// The address of a socket as the system writes it (a sockaddr), opaque here.
struct SocketAddress {
  alignas(8) std::array<uint8_t, 128> octets{};
  uint32_t length = 0;

  // "192.0.2.1:4739" or "[2001:db8::1]:4739"; an IPv4-mapped address as IPv4.
  std::string ToString() const;
  uint16_t port() const;
  bool is_v6() const;

  bool operator==(const SocketAddress& other) const;
};

// Owns a descriptor.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket();

  int fd() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

enum class Purpose { kSend, kListen };

// Looks up url.host; blocks for as long as the system's resolver does unless the host is an
// address. Never an empty vector.
absl::StatusOr<std::vector<SocketAddress>> Resolve(const Url& url, Purpose purpose);

// A non-blocking UDP socket that no child process inherits, of the address's family. The error
// is an errno value; 0: none.
Socket OpenUdp(const SocketAddress& address, int& error);

// A socket for sending, never fragmented (RFC 7011 10.3.3), with room for a burst.
Socket OpenUdpSender(const SocketAddress& address, int& error);

// Returns an errno value; 0: done.
int Connect(const Socket& socket, const SocketAddress& address);

// The largest UDP payload that fits the path to the connected address; 0 if not known.
size_t LargestPayload(const Socket& socket, const SocketAddress& address);

// A non-blocking TCP socket that no child process inherits, of the address's family, which sends
// what it is given at once and notices within about a minute that its peer has gone. The error is
// an errno value; 0: none.
Socket OpenTcp(const SocketAddress& address, int& error);

// What became of a Connect that returned EINPROGRESS, once the socket is writable: an errno value; 0:
// it is connected.
int ConnectError(const Socket& socket, const SocketAddress& address);

// Writes what fits without waiting, and never raises SIGPIPE; at most 64 parts, which UDP makes one
// datagram of. An errno value, EAGAIN if nothing fits; 0: `written` octets of the parts are with the
// kernel.
int WriteNow(const Socket& socket, std::span<const std::span<const uint8_t>> parts,
             size_t& written);
// Takes what is there, of UDP one datagram, without waiting, into `octets`. An errno value, EAGAIN if
// there is nothing; 0: `taken` octets, of TCP none if the peer has closed its end.
int ReadNow(const Socket& socket, std::span<uint8_t> octets, size_t& taken);
// The same, and forgets them.
int DiscardNow(const Socket& socket, size_t most, size_t& taken);

// Octets that were written and that the peer's kernel has not acknowledged, a FIN being one. Told of
// a connection that has ended as well: of its end.
uint64_t UnacknowledgedOctets(const Socket& socket);

// Tells the peer that nothing more comes (FIN). False if the connection has ended already.
bool ShutDownWriting(const Socket& socket);

}  // namespace sockflow::transport
