// SPDX-License-Identifier: MIT

// Moves many octets over one TCP connection on loopback: bulk_transfer [--megabytes N]. Prints the
// CPU time of both ends together as JSON.

#include <arpa/inet.h>
#include <netinet/in.h>

#include "tests/bench/load.h"

namespace sockflow::bench {
namespace {

constexpr size_t kChunk = 128 << 10;

int Main(int argc, char** argv) {
  const long megabytes = Argument(argc, argv, "--megabytes", 4096);
  EnterOwnNetwork(argc, argv);
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  Check(listener >= 0, "socket");
  sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof(address);
  Check(bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0, "bind");
  Check(listen(listener, 1) == 0, "listen");
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);

  static char buffer[kChunk];
  Crew crew;
  crew.Add(0, [&] {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    Check(connect(fd, reinterpret_cast<sockaddr*>(&address), length) == 0, "connect");
    for (long left = megabytes << 20; left > 0;) {
      const ssize_t sent = send(fd, buffer, sizeof(buffer), MSG_NOSIGNAL);
      Check(sent > 0, "send");
      left -= sent;
    }
    close(fd);
  });
  crew.Add(1, [&] {
    const int fd = accept4(listener, nullptr, nullptr, 0);
    Check(fd >= 0, "accept");
    ssize_t got;
    while ((got = recv(fd, buffer, sizeof(buffer), 0)) > 0) continue;
    Check(got == 0, "recv");
    close(fd);
  });
  crew.Run("megabytes", megabytes);
  return 0;
}

}  // namespace
}  // namespace sockflow::bench

int main(int argc, char** argv) { return sockflow::bench::Main(argc, argv); }
