// SPDX-License-Identifier: MIT
#include "tests/e2e/owners/owner_test.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstring>

namespace sockflow::testing {

uint16_t PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  Require(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0, "getsockname");
  // The port lies at the same place in both families.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

void SendDescriptor(int channel, int fd) {
  char octet = 0;
  iovec place = {&octet, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {
      .msg_iov = &place, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  Require(sendmsg(channel, &message, 0) == 1, "sendmsg");
}

int ReceiveDescriptor(int channel) {
  char octet;
  iovec place = {&octet, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {
      .msg_iov = &place, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  Require(recvmsg(channel, &message, 0) == 1, "recvmsg");
  int fd;
  std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
  return fd;
}

void OwnerTest::SetUp() {
  if (geteuid() != 0) GTEST_SKIP() << "needs root: network namespaces, packet sockets, perf events";
  // Nobody else's packets. The tracepoint shows the whole host's sockets all the same.
  EnterNewNetworkNamespace();
}

void OwnerTest::StartWatching() {
  watch_.emplace(pcap::OwnerFinderOptions{.allow_trace = traced()});
  if (traced() && watch_->finder().description() != "owners from the tracepoint sock:inet_sock_set_state") {
    GTEST_SKIP() << watch_->finder().description();
  }
}

void OwnerTest::WatchUntilDone(Actor& actor) {
  watch_->RunWhile([&] {
    siginfo_t ended{};
    waitid(P_PID, actor.pid(), &ended, WEXITED | WNOHANG | WNOWAIT);
    return ended.si_pid == 0;
  });
  watch_->RunUntilQuiet(std::chrono::milliseconds(30));
}

void OwnerTest::WatchUntil(Gate& gate) {
  watch_->RunWhile([&] { return !gate.WaitFor(std::chrono::milliseconds(0)); });
  gate.Wait();
  watch_->RunUntilQuiet(std::chrono::milliseconds(30));
}

void OwnerTest::ExpectOwner(const WatchedEnd* end, pid_t pid, const std::string& name) {
  ASSERT_NE(end, nullptr) << "nobody was found: no packet was seen";
  if (!traced() && !end->best.process) return;
  ASSERT_TRUE(end->best.process) << "nobody was found";
  EXPECT_EQ(end->best.process->pid, pid) << end->best.process->name.view();
  EXPECT_EQ(end->best.process->name.view(), name);
}

void OwnerTest::ExpectNobodyBut(const WatchedEnd* end, pid_t pid) {
  ASSERT_NE(end, nullptr) << "nobody was found: no packet was seen";
  if (!end->best.process) return;
  EXPECT_EQ(end->best.process->pid, pid) << end->best.process->name.view() << ", attribution "
                                         << static_cast<int>(end->best.attribution);
}

}  // namespace sockflow::testing
