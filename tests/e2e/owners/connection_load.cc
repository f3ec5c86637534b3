// SPDX-License-Identifier: MIT
#include "tests/e2e/owners/connection_load.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "fmt/format.h"
#include "tests/e2e/owners/packet_watch.h"

namespace sockflow::testing {
namespace {

constexpr char kOneProcess[] = "one-client";

// The client's end of a connection to the server.
uint16_t ConnectOnce(uint16_t port, Duration lifetime) {
  const int fd = NewSocket(Family::kV4);
  // As fast as the server accepts: a backlog that is full would make this wait a second.
  if (TryConnect(fd, Family::kV4, port) != 0) {
    close(fd);
    return 0;
  }
  sockaddr_in own{};
  socklen_t length = sizeof(own);
  getsockname(fd, reinterpret_cast<sockaddr*>(&own), &length);
  if (lifetime > Duration::zero()) std::this_thread::sleep_for(lifetime);
  close(fd);
  return ntohs(own.sin_port);
}

void MakeAll(const ConnectionLoad::Options& options, Truth* truth) {
  NameProcess(options.fresh_processes ? "maker" : kOneProcess);
  for (int i = 0; i < options.connections; ++i) {
    if (options.fresh_processes) {
      const pid_t child = fork();
      Require(child >= 0, "fork");
      if (child == 0) {
        NameProcess(ConnectionLoad::NameOf(options, i));
        truth[i].pid = getpid();
        truth[i].begun = Now();
        truth[i].port = ConnectOnce(options.server_port, options.lifetime);
        _exit(0);
      }
      waitpid(child, nullptr, 0);
    } else {
      truth[i].pid = getpid();
      truth[i].begun = Now();
      truth[i].port = ConnectOnce(options.server_port, options.lifetime);
    }
    if (options.pause > Duration::zero()) std::this_thread::sleep_for(options.pause);
  }
}

}  // namespace

Server::Server(const std::string& name) {
  // It must not have the caller's descriptors, nor anybody else its listening socket.
  auto* port = static_cast<uint16_t*>(
      mmap(nullptr, sizeof(uint16_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  Gate listening;
  actor_ = std::make_unique<Actor>(name, [&listening, port] {
    const int listener = Listen(Family::kV4, port, 4096);
    listening.Post();
    for (;;) {
      const int fd = Accept(listener);
      ReceiveToEnd(fd);
      close(fd);
    }
    return 0;
  });
  listening.Wait();
  port_ = *port;
  munmap(port, sizeof(uint16_t));
}

ConnectionLoad::ConnectionLoad(const Options& options) : options_(options) {
  const size_t size = sizeof(Truth) * options.connections;
  shared_ = static_cast<Truth*>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  Require(shared_ != MAP_FAILED, "mmap");
  pid_ = fork();
  Require(pid_ >= 0, "fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    MakeAll(options_, shared_);
    _exit(0);
  }
}

ConnectionLoad::~ConnectionLoad() {
  if (running_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  munmap(shared_, sizeof(Truth) * options_.connections);
}

bool ConnectionLoad::Running() {
  if (running_ && waitpid(pid_, nullptr, WNOHANG) == pid_) running_ = false;
  return running_;
}

std::vector<Truth> ConnectionLoad::truth() const { return {shared_, shared_ + options_.connections}; }

std::string ConnectionLoad::NameOf(const Options& options, int connection) {
  return options.fresh_processes ? fmt::format("client-{}", connection) : kOneProcess;
}

Bystanders::Bystanders(int processes, int descriptors) {
  Gate ready;
  parent_ = fork();
  Require(parent_ >= 0, "fork");
  if (parent_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    NameProcess("bystander");
    for (int i = 0; i < descriptors; ++i) Require(socket(AF_INET, SOCK_STREAM, 0) >= 0, "socket");
    for (int i = 1; i < processes; ++i) {
      const pid_t child = fork();
      Require(child >= 0, "fork");
      if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        break;
      }
      if (i + 1 == processes) ready.Post();
    }
    for (;;) pause();
  }
  ready.Wait();
}

Bystanders::~Bystanders() {
  kill(parent_, SIGKILL);
  waitpid(parent_, nullptr, 0);
}

}  // namespace sockflow::testing
