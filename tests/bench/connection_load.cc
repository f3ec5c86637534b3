// SPDX-License-Identifier: MIT

// Opens and closes TCP connections on loopback as fast as they go: pairs of a client and a server
// process that live through all of it.
//
//   connection_load [--connections N] [--pairs P] [--payload OCTETS] [--rate N] [--own-network 0]
//
// The client connects, sends the payload if any, closes; the server accepts, reads to the end,
// closes. Every close is orderly. --rate: at most so many a second, of each pair. Prints the CPU time of all processes together as JSON.

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "tests/bench/load.h"

namespace sockflow::bench {
namespace {

// A client runs ahead of its server by four such batches at most: far fewer than the accept queue
// holds, and a system call for flow control only once a batch.
constexpr int kBatch = 64;
constexpr int kBatchesAhead = 4;
constexpr int kDestinations = 1000;

int Listen(int* port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  Check(fd >= 0, "socket");
  sockaddr_in any = {.sin_family = AF_INET};
  socklen_t length = sizeof(any);
  Check(bind(fd, reinterpret_cast<sockaddr*>(&any), length) == 0, "bind");
  Check(listen(fd, 1024) == 0, "listen");
  getsockname(fd, reinterpret_cast<sockaddr*>(&any), &length);
  *port = ntohs(any.sin_port);
  return fd;
}

void Serve(int listener, int credit, long connections) {
  static char buffer[65536];
  for (long i = 1; i <= connections; ++i) {
    const int fd = accept4(listener, nullptr, nullptr, 0);
    Check(fd >= 0, "accept");
    ssize_t got;
    while ((got = recv(fd, buffer, sizeof(buffer), 0)) > 0) continue;
    Check(got == 0, "recv");
    close(fd);
    if (i % kBatch == 0) Check(write(credit, "", 1) == 1, "write");
  }
}

// Waits until connection `i` is due, in steps that a timer can measure.
void KeepRate(long i, long rate, std::chrono::steady_clock::time_point begin) {
  if (rate == 0 || i % 8 != 0) return;
  std::this_thread::sleep_until(begin + std::chrono::nanoseconds(1'000'000'000 / rate * i));
}

void Connect(int port, int credit, long connections, size_t payload, long rate) {
  static char buffer[65536];
  const auto begin = std::chrono::steady_clock::now();
  int batches = kBatchesAhead;
  for (long i = 0; i < connections; ++i) {
    if (i % kBatch == 0 && --batches < 0) {
      char got[kBatchesAhead];
      const ssize_t count = read(credit, got, sizeof(got));
      Check(count > 0, "read");
      batches += static_cast<int>(count);
    }
    KeepRate(i, rate, begin);
    // Many destinations, so that no search for a free port grows long.
    const sockaddr_in peer = {
        .sin_family = AF_INET,
        .sin_port = htons(static_cast<uint16_t>(port)),
        .sin_addr = {htonl(INADDR_LOOPBACK + 1 + static_cast<uint32_t>(i % kDestinations))}};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    Check(fd >= 0, "socket");
    Check(connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) == 0, "connect");
    if (payload > 0) {
      Check(send(fd, buffer, payload, MSG_NOSIGNAL) == static_cast<ssize_t>(payload), "send");
    }
    close(fd);
  }
}

int Main(int argc, char** argv) {
  const long connections = Argument(argc, argv, "--connections", 30'000);
  const long pairs = Argument(argc, argv, "--pairs", 1);
  const auto payload = static_cast<size_t>(Argument(argc, argv, "--payload", 0));
  const long rate = Argument(argc, argv, "--rate", 0);
  EnterOwnNetwork(argc, argv);
  Crew crew;
  for (int pair = 0; pair < pairs; ++pair) {
    int port;
    const int listener = Listen(&port);
    int credit[2];
    Check(pipe(credit) == 0, "pipe");
    const int cpu = 2 * pair;
    crew.Add(cpu, [=] { 
      Connect(port, credit[0], connections, std::min<size_t>(payload, 65536), rate);
    });
    crew.Add(cpu + 1, [=] { Serve(listener, credit[1], connections); });
  }
  crew.Run("connections", connections * pairs);
  return 0;
}

}  // namespace
}  // namespace sockflow::bench

int main(int argc, char** argv) { return sockflow::bench::Main(argc, argv); }
