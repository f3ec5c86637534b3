// SPDX-License-Identifier: MIT

// Makes TCP sessions over loopback in every way that a session can go, between processes of many
// names and users, and writes down what each socket did: the truth that an observer is measured
// against.
//
//   session_maker TRUTH_FILE SESSIONS SESSIONS_PER_SECOND
//
// One JSON object a line, for each socket: kind, family, direction, local, local_port, remote,
// remote_port, pid, name, uid, sent, received (null where what arrives is not determined),
// start_min, start_max (milliseconds since 1970, between which the session began), and what TCP_INFO
// told before the socket was closed: rtt, min_rtt (microseconds), retransmitted and unacknowledged (packets), final (no
// more could come). Those of troubled.h come on top of SESSIONS.

#include <sys/mman.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "tests/e2e/session_maker/clients.h"
#include "tests/e2e/session_maker/troubled.h"

namespace sockflow::testing {
namespace {

// Side by side, as most of their time they wait.
constexpr size_t kTroubledProcesses = 8, kTroubledRounds = 6;

// Ports that nobody listens on and nobody else can take.
Ports ReservePorts() {
  Ports ports;
  for (size_t i = 0; i < ports.size(); ++i) {
    const int fd = NewSocket(kFamilies[i]);
    sockaddr_storage address;
    socklen_t length = LoopbackAddress(kFamilies[i], 0, &address);
    Require(bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0, "bind");
    Require(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0, "getsockname");
    ports[i] = Read(address).port;
  }
  return ports;
}

int Run(const char* truth_file, size_t sessions, double per_second) {
  OpenTruth(truth_file);
  auto* board = static_cast<Board*>(mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE,
                                         MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  Require(board != MAP_FAILED, "mmap");
  const Ports refusing = ReservePorts();
  Gate ready, stop;
  std::vector<std::unique_ptr<Actor>> servers, clients;
  for (size_t i = 0; i < std::size(kServers); ++i) {
    servers.push_back(std::make_unique<Actor>(kServers[i].name, [&, i] {
      return RunServer(kServers[i], &board->servers[i], ready, stop);
    }));
  }
  servers.push_back(std::make_unique<Actor>(
      kPreforkParent.name, [&] { return RunPrefork(&board->prefork, ready, stop); }));
  for (size_t i = 0; i < std::size(kServers) + std::size(kWorkers); ++i) {
    Require(ready.WaitFor(std::chrono::seconds(10)), "start of the servers");
    ready.Wait();
  }
  const size_t each = (sessions + std::size(kClients) - 1) / std::size(kClients);
  for (size_t i = 0; i < std::size(kClients); ++i) {
    clients.push_back(std::make_unique<Actor>(kClients[i].name, [&, i] {
      return RunClient(i, each, per_second / std::size(kClients), *board, refusing);
    }));
  }
  for (size_t i = 0; i < kTroubledProcesses; ++i) {
    clients.push_back(std::make_unique<Actor>(kTroubled.name, [] {
      MakeTroubledSessions(kTroubledRounds);
      return 0;
    }));
  }
  int failed = 0;
  for (const auto& client : clients) failed |= client->Join();
  stop.Post();
  for (const auto& server : servers) failed |= server->Join();
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sockflow::testing

int main(int argc, char** argv) {
  if (argc != 4 || atoi(argv[2]) <= 0 || atof(argv[3]) <= 0) {
    fprintf(stderr, "Usage: session_maker TRUTH_FILE SESSIONS SESSIONS_PER_SECOND\n");
    return 2;
  }
  return sockflow::testing::Run(argv[1], atoi(argv[2]), atof(argv[3]));
}
