// SPDX-License-Identifier: MIT

// Takes datagrams on a port of 127.0.0.1 and throws them away, with as little effect on who sends
// them as a collector on another host has: it is never woken by one, it comes by. Prints its port,
// then at SIGTERM what it counted; both as JSON.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>

namespace {

constexpr int kBufferOctets = 64 << 20;
constexpr int kMessages = 256;
constexpr int kOctets = 2048;

volatile sig_atomic_t g_stop = 0;

}  // namespace

int main() {
  struct sigaction action = {};
  action.sa_handler = [](int) { g_stop = 1; };
  sigaction(SIGTERM, &action, nullptr);
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof(address);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kBufferOctets, sizeof(int)) != 0 ||
      bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0) {
    perror("udp_sink");
    return 1;
  }
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  std::printf("{\"port\": %d}\n", ntohs(address.sin_port));
  std::fflush(stdout);

  static uint8_t octets[kMessages][kOctets];
  iovec parts[kMessages];
  mmsghdr messages[kMessages] = {};
  for (int i = 0; i < kMessages; ++i) {
    parts[i] = {octets[i], kOctets};
    messages[i].msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1};
  }
  uint64_t datagrams = 0;
  uint64_t total = 0;
  for (;;) {
    const bool last_round = g_stop != 0;
    int count;
    while ((count = recvmmsg(fd, messages, kMessages, MSG_DONTWAIT, nullptr)) > 0) {
      datagrams += static_cast<uint64_t>(count);
      for (int i = 0; i < count; ++i) total += messages[i].msg_len;
    }
    if (last_round) break;
    poll(nullptr, 0, 20);
  }
  std::printf("{\"datagrams\": %llu, \"octets\": %llu}\n",
              static_cast<unsigned long long>(datagrams), static_cast<unsigned long long>(total));
  return 0;
}
