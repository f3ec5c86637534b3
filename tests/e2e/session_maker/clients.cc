// SPDX-License-Identifier: MIT
#include "tests/e2e/session_maker/clients.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <iterator>
#include <random>
#include <thread>

namespace sockflow::testing {
namespace {

// What one client does next.
struct Step {
  Kind kind;
  bool prefork;
};
constexpr Step kSteps[] = {
    {Kind::kClientCloses, false}, {Kind::kServerCloses, false},  {Kind::kClientResets, false},
    {Kind::kHalfClose, false},    {Kind::kServerResets, false},  {Kind::kServerHalfClose, false},
    {Kind::kRefused, false},      {Kind::kClientCloses, true},   {Kind::kKilledClient, false},
    {Kind::kServerCloses, false}, {Kind::kSilent, false},        {Kind::kUnreadReset, false},
    {Kind::kServerCloses, true},  {Kind::kKilledServer, false},  {Kind::kClientCloses, false},
    {Kind::kClientResets, true},  {Kind::kHalfClose, true},      {Kind::kServerResets, true},
};

constexpr size_t kSizes[] = {0, 1, 100, 1448, 5'000, 65'536, 200'000};

// The client whose sessions are made by a thread of another name.
constexpr size_t kThreadedClient = std::size(kClients) - 1;

// The port is bound but does not listen.
void BeRefused(size_t family, uint16_t port) {
  Session session = PrepareConnect(family, port);
  Require(TryConnect(session.fd(), kFamilies[family], port) == ECONNREFUSED, "connect that is refused");
  session.Abandon();
  session.Tell(Kind::kRefused, false);
}

void MakeSession(const Request& request, uint16_t port) {
  Session session = ConnectTo(request.family, port);
  bool counted = true;
  if (request.kind == Kind::kSilent) {
    session.Close();
    session.Tell(request.kind, false);
    return;
  }
  session.Send(request);
  if (request.kind == Kind::kHalfClose) session.ShutDown();
  if (request.kind == Kind::kUnreadReset) {
    session.WaitReadable();
    counted = false;
  } else {
    session.Receive(request.reply_octets);
  }
  switch (request.kind) {
    case Kind::kClientResets:
      session.Reset();
      break;
    case Kind::kServerResets:
      session.Send(1);
      session.ReceiveReset();
      session.Close();
      break;
    case Kind::kKilledServer:
      session.Send(1);
      session.ReceiveEnd();
      session.Close();
      break;
    case Kind::kServerHalfClose:
      session.ReceiveEnd();
      session.Send(777);
      session.Close();
      break;
    case Kind::kServerCloses:
    case Kind::kHalfClose:
      session.ReceiveEnd();
      session.Close();
      break;
    case Kind::kKilledClient:
      session.Observe();
      session.Tell(request.kind, false);
      raise(SIGKILL);
      break;
    default:
      session.Close();
  }
  session.Tell(request.kind, request.prefork, counted);
}

void WithKilledServer(const Request& request) {
  int port_pipe[2];
  Require(pipe(port_pipe) == 0, "pipe");
  const Persona persona = {"e2e-doomed-srv", OwnUid()};
  Actor server(persona.name, [&] {
    Become(persona);
    uint16_t port;
    const int listener = Listen(kFamilies[request.family], &port);
    Require(write(port_pipe[1], &port, sizeof(port)) == sizeof(port), "write port");
    return AcceptAndServe(listener) ? 0 : 1;
  });
  uint16_t port;
  Require(read(port_pipe[0], &port, sizeof(port)) == sizeof(port), "read port");
  MakeSession(request, port);
  server.Join();
  close(port_pipe[0]);
  close(port_pipe[1]);
}

void WithKilledClient(const Request& request, uint16_t port) {
  const Persona persona = {"e2e-doomed-cli", OwnUid()};
  Actor client(persona.name, [&] {
    Become(persona);
    MakeSession(request, port);
    return 0;
  });
  client.Join();
}

void MakeSessions(size_t client, size_t count, double per_second, const Board& board,
                  const Ports& refusing) {
  std::mt19937 random(client);
  const auto begin = std::chrono::steady_clock::now();
  for (size_t i = 0; i < count; ++i) {
    const Step& step = kSteps[i % std::size(kSteps)];
    const size_t family = (i / std::size(kSteps) + i + client) % std::size(kFamilies);
    const size_t server = (i / std::size(kSteps) + client) % std::size(kServers);
    size_t reply = kSizes[random() % std::size(kSizes)];
    // With a reply the client knows that the server has read all, and a reset destroys nothing.
    if (step.kind == Kind::kClientResets) reply += 1;
    // Unread it has to fit the buffers, and there has to be some.
    if (step.kind == Kind::kUnreadReset) reply = 1 + reply % 5'000;
    const Request request = {
        .kind = step.kind,
        .prefork = step.prefork,
        .family = static_cast<uint8_t>(family),
        .octets = static_cast<uint32_t>(sizeof(Request) + kSizes[random() % std::size(kSizes)]),
        .reply_octets = static_cast<uint32_t>(reply)};
    const uint16_t port = (step.prefork ? board.prefork : board.servers[server])[family];
    // A thread's child would not know the thread's locks: those kinds are for the others.
    const bool may_fork = client != kThreadedClient;
    std::this_thread::sleep_until(
        begin + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                    std::chrono::duration<double>(i / per_second)));
    switch (step.kind) {
      case Kind::kRefused: BeRefused(family, refusing[family]); break;
      case Kind::kKilledServer:
        if (may_fork) WithKilledServer(request);
        break;
      case Kind::kKilledClient:
        if (may_fork) WithKilledClient(request, port);
        break;
      default: MakeSession(request, port);
    }
  }
}

}  // namespace

int RunClient(size_t client, size_t count, double per_second, const Board& board,
              const Ports& refusing) {
  Become(kClients[client]);
  if (client != kThreadedClient) {
    MakeSessions(client, count, per_second, board, refusing);
    return 0;
  }
  std::thread([&] {
    prctl(PR_SET_NAME, "http-worker-9");
    MakeSessions(client, count, per_second, board, refusing);
  }).join();
  return 0;
}

}  // namespace sockflow::testing
