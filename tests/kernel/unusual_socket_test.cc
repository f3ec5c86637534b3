// SPDX-License-Identifier: MIT
// Namespaces, TCP Fast Open, Multipath TCP.
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "tests/kernel/kernel_test.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

namespace sockflow::testing {
namespace {

using UnusualSocketTest = KernelTest;

TEST_F(UnusualSocketTest, OtherNetworkAndPidNamespace) {
  struct Truth {
    uint64_t netns;
    pid_t pid;  // as the host sees it
    uint16_t port;
  } truth;
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  Actor outer("ns-outer", [&report] {
    EnterNewNetworkNamespace();
    Require(unshare(CLONE_NEWPID) == 0, "unshare(CLONE_NEWPID)");
    Actor inner("ns-inner", [&report] {
      Require(getpid() == 1, "first of its PID namespace");
      Truth seen = {};
      const int listener = Listen(Family::kV4, &seen.port);
      struct stat net;
      Require(stat("/proc/self/ns/net", &net) == 0, "stat /proc/self/ns/net");
      seen.netns = net.st_ino;
      // This /proc is still the host's: it knows the process by its pid there.
      char host_pid[16] = {};
      Require(readlink("/proc/self", host_pid, sizeof(host_pid) - 1) > 0, "readlink /proc/self");
      seen.pid = atoi(host_pid);
      const int client = Connect(Family::kV4, seen.port);
      const int server = Accept(listener);
      close(client);
      ReceiveToEnd(server);
      close(server);
      Require(write(report[1], &seen, sizeof(seen)) == sizeof(seen), "report");
      return 0;
    });
    return inner.Join();
  });
  ASSERT_EQ(outer.Join(), 0);
  ASSERT_EQ(read(report[0], &truth, sizeof(truth)), static_cast<ssize_t>(sizeof(truth)));
  CollectEnds(truth.port, 2);
  for (Direction direction : {Direction::kActive, Direction::kPassive}) {
    const Session session = TheSession(truth.port, direction);
    EXPECT_THAT(session, IsOwnedBy(truth.pid, "ns-inner"));
    EXPECT_EQ(session.netns, truth.netns);
  }
  close(report[0]);
  close(report[1]);
}

TEST_F(UnusualSocketTest, FastOpen) {
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  Gate go;
  Actor both("fast-open", [&report, &go] {
    EnterNewNetworkNamespace();
    std::ofstream("/proc/sys/net/ipv4/tcp_fastopen") << "0x403";  // no cookie wanted
    uint16_t port;
    const int listener = Listen(Family::kV4, &port);
    const int queue = 5;
    Require(setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue)) == 0,
            "TCP_FASTOPEN");
    Require(write(report[1], &port, sizeof(port)) > 0, "report");
    go.Wait();
    for (int i = 0; i < 2; ++i) {  // with or without data in the SYN: the kernel's choice at first
      const int client = NewSocket(Family::kV4);
      sockaddr_storage address;
      const socklen_t length = LoopbackAddress(Family::kV4, port, &address);
      Require(sendto(client, "hello", 5, MSG_FASTOPEN, reinterpret_cast<sockaddr*>(&address),
                     length) == 5,
              "sendto(MSG_FASTOPEN)");
      const int server = Accept(listener);
      ReceiveAll(server, 5);
      close(client);
      ReceiveToEnd(server);
      close(server);
    }
    return 0;
  });
  const pid_t pid = both.pid();
  uint16_t port;
  ASSERT_EQ(read(report[0], &port, sizeof(port)), static_cast<ssize_t>(sizeof(port)));
  go.Post();
  ASSERT_EQ(both.Join(), 0);
  CollectEnds(port, 4);
  int starts = 0;
  for (const Record& record : Records(port)) {
    EXPECT_THAT(record.session, IsOwnedBy(pid, "fast-open"));
    EXPECT_NE(record.session.local.port, 0);
    if (record.kind == SessionRecord::Kind::kStart) {
      ++starts;
      continue;
    }
    const bool active = record.session.direction == Direction::kActive;
    EXPECT_EQ(active ? record.session.tcp.octets_sent : record.session.tcp.octets_received, 5u);
    EXPECT_EQ(active ? record.session.tcp.octets_received : record.session.tcp.octets_sent, 0u);
  }
  EXPECT_EQ(starts, 4);
  close(report[0]);
  close(report[1]);
}

TEST_F(UnusualSocketTest, MultipathTcp) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
  if (listener < 0) GTEST_SKIP() << "no Multipath TCP in this kernel: " << strerror(errno);
  sockaddr_storage address;
  socklen_t length = LoopbackAddress(Family::kV4, 0, &address);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(listener, 5), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
  const uint16_t port = ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
  Actor client("mptcp-client", [port] {
    const int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
    Require(TryConnect(fd, Family::kV4, port) == 0, "connect");
    SendAll(fd, 1000);
    shutdown(fd, SHUT_WR);
    ReceiveToEnd(fd);
    close(fd);
    return 0;
  });
  const pid_t pid = client.pid();
  const int fd = Accept(listener);
  ReceiveToEnd(fd);
  close(fd);
  ASSERT_EQ(client.Join(), 0);
  close(listener);
  CollectEnds(port, 2);
  const Session active = TheSession(port, Direction::kActive);
  const Session passive = TheSession(port, Direction::kPassive);
  EXPECT_THAT(active, IsOwnedBy(pid, "mptcp-client"));
  EXPECT_THAT(passive, IsOwnedBy(getpid(), "kernel_test"));
  EXPECT_EQ(active.tcp.octets_sent, 1000u);
}

}  // namespace
}  // namespace sockflow::testing
