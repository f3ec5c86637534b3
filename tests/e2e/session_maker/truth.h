// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "tests/e2e/session_maker/kinds.h"

// What processes do and know of it, written down.
namespace sockflow::testing {

struct Persona {
  const char* name;
  uid_t uid;
};

// Takes name and user; the truth of this process tells them.
void Become(const Persona& persona);
uid_t OwnUid();

// Opens the file for this process and those that it forks.
void OpenTruth(const char* path);

double NowMs();  // milliseconds since 1970

struct Address {
  std::string text;
  uint16_t port = 0;
};

// v4-mapped addresses as IPv4: on the wire they are.
Address Read(const sockaddr_storage& address);

// For an octet, an end, an error, or a session to accept.
void WaitReadable(int fd);

// One connected socket and what went through it.
class Session {
 public:
  Session(int fd, bool active, uint8_t family, double start_min, double start_max);

  // Not getpeername(): a refused connect has no peer, an accepted socket that was reset meanwhile
  // neither.
  void set_remote(const sockaddr_storage& remote) { remote_ = Read(remote); }
  void set_family(uint8_t family) { family_ = family; }
  int fd() const { return fd_; }
  // The one that this process listens at, and never took.
  Session OtherEnd() const;

  void Send(size_t octets);
  void Send(const Request& request);
  // False if the peer closed instead.
  bool Receive(Request* request);
  void Receive(size_t octets);
  void ReceiveEnd();
  // Waits for the end by such an error.
  void ReceiveError(int error);
  void ReceiveReset();
  void WaitReadable() { sockflow::testing::WaitReadable(fd_); }
  void ShutDown();
  void Close();
  void Reset();
  // After a connect that failed: the kernel has forgotten what it measured (tcp_disconnect()).
  void Abandon() { close(fd_); }
  // Until the other end's kernel has all that was sent.
  void WaitAcknowledged();
  // What TCP has measured so far. Closing and resetting does it, too.
  void Observe();

  // Short lines to a file opened for appending: they do not mix. Before a SIGKILL, so it is a call.
  void Tell(Kind kind, bool prefork, bool counted = true) const;

 private:
  // As TCP_INFO has it; the times in microseconds, the others in packets.
  struct Measured {
    uint32_t rtt, min_rtt, retransmitted, unacknowledged;
    bool is_final;  // the socket is closed, or about to be reset
  };
  void Observe(bool is_reset);

  int fd_;
  bool active_;
  uint8_t family_;
  double start_min_, start_max_;
  Address local_, remote_;
  size_t sent_ = 0, received_ = 0;
  std::optional<Measured> measured_;
};

// A session of this process, which waits for it.
Session ConnectTo(size_t family, uint16_t port);
// One that is about to connect, and to fail: bound first, as a connect that fails gives up a port that it
// chose itself.
Session PrepareConnect(size_t family, uint16_t port);
// The next one of the listener; nothing if there is none, or somebody else was quicker.
std::optional<Session> AcceptFrom(int listener);

}  // namespace sockflow::testing
