// SPDX-License-Identifier: MIT
#pragma once

#include <netinet/in.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

// Processes that make TCP sessions, with names that a test chooses. Every call that must succeed for
// the test to mean anything ends the calling process with a message otherwise.
namespace sockflow::testing {

// A child process under a name of its own. Killed when it goes out of scope.
class Actor {
 public:
  // Runs `body` in a child; its return value is the exit status.
  Actor(const std::string& name, std::function<int()> body);
  ~Actor();
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  pid_t pid() const { return pid_; }
  const std::string& name() const { return name_; }
  void Kill();  // SIGKILL, and waits
  // Waits for the end; the exit status, or -1 if it died otherwise.
  int Join();

 private:
  std::string name_;
  pid_t pid_ = -1;
};

// A barrier between processes: as many Wait()s return as there were Post()s.
class Gate {
 public:
  Gate();
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  void Post();
  void Wait();
  // Waits without letting through; false after the time is over.
  bool WaitFor(std::chrono::milliseconds timeout);

 private:
  int pipe_[2];
};

enum class Family { kV4, kV6, kV4Mapped };

// Ends the process with the text and errno unless ok.
void Require(bool ok, const char* what);

// Names the calling process (and its main thread).
void NameProcess(const std::string& name);

// A listening socket on the loopback address; its port through `port`. kV4Mapped listens on [::],
// dual-stack.
int Listen(Family family, uint16_t* port, int backlog = 128);
int NewSocket(Family family);
// The loopback address of the family with the port.
socklen_t LoopbackAddress(Family family, uint16_t port, sockaddr_storage* address);
// 0 or errno.
int TryConnect(int fd, Family family, uint16_t port);
// A connected socket.
int Connect(Family family, uint16_t port);
int Accept(int listener);
void SendAll(int fd, size_t octets);
// Reads exactly so many octets.
void ReceiveAll(int fd, size_t octets);
// Reads until the peer's FIN; returns what came.
size_t ReceiveToEnd(int fd);
// A close() that sends RST instead of FIN.
void CloseWithReset(int fd);

// Moves the calling process into a network namespace of its own, with loopback up.
void EnterNewNetworkNamespace();

}  // namespace sockflow::testing
