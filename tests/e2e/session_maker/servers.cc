// SPDX-License-Identifier: MIT
#include "tests/e2e/session_maker/servers.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <iterator>
#include <memory>
#include <optional>
#include <vector>

namespace sockflow::testing {

bool AcceptAndServe(int listener) {
  std::optional<Session> accepted = AcceptFrom(listener);
  if (!accepted) return false;
  Session& session = *accepted;
  Request request;
  if (!session.Receive(&request)) {
    session.Close();
    session.Tell(Kind::kSilent, false);
    return true;
  }
  session.set_family(request.family);
  if (request.kind == Kind::kHalfClose) session.ReceiveEnd();
  session.Send(request.reply_octets);
  switch (request.kind) {
    case Kind::kServerCloses:
    case Kind::kHalfClose:
      session.Close();
      break;
    case Kind::kServerHalfClose:
      session.ShutDown();
      session.ReceiveEnd();
      session.Close();
      break;
    case Kind::kServerResets:
      session.Receive(1);  // the client has the reply: nothing is on its way
      session.Reset();
      break;
    case Kind::kClientResets:
    case Kind::kUnreadReset:
      session.ReceiveReset();
      session.Close();
      break;
    case Kind::kKilledServer:
      session.Receive(1);
      session.Observe();
      session.Tell(request.kind, false);
      raise(SIGKILL);
      break;
    default:
      session.ReceiveEnd();
      session.Close();
  }
  session.Tell(request.kind, request.prefork, request.kind != Kind::kUnreadReset);
  return true;
}

namespace {

using Listeners = std::array<pollfd, std::size(kFamilies)>;

Listeners ListenOnAll(Ports* ports) {
  Listeners listeners;
  for (size_t i = 0; i < listeners.size(); ++i) {
    listeners[i] = {.fd = Listen(kFamilies[i], &(*ports)[i]), .events = POLLIN, .revents = 0};
    // Another worker may be quicker.
    Require(fcntl(listeners[i].fd, F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");
  }
  return listeners;
}

// Until nobody connects any more.
void ServeAll(Listeners listeners, Gate& stop) {
  for (;;) {
    const bool is_last = stop.WaitFor(std::chrono::milliseconds(0));
    const int ready = poll(listeners.data(), listeners.size(), is_last ? 0 : 50);
    if (ready == 0 && is_last) return;
    for (const pollfd& listener : listeners) {
      if (ready > 0 && listener.revents != 0) (void)AcceptAndServe(listener.fd);
    }
  }
}

}  // namespace

int RunServer(const Persona& persona, Ports* ports, Gate& ready, Gate& stop) {
  Become(persona);
  const Listeners listeners = ListenOnAll(ports);
  ready.Post();
  ServeAll(listeners, stop);
  return 0;
}

int RunPrefork(Ports* ports, Gate& ready, Gate& stop) {
  Become(kPreforkParent);
  const Listeners listeners = ListenOnAll(ports);
  std::vector<std::unique_ptr<Actor>> workers;
  for (const Persona& worker : kWorkers) {
    workers.push_back(std::make_unique<Actor>(worker.name, [&] {
      Become(worker);
      ready.Post();
      ServeAll(listeners, stop);
      return 0;
    }));
  }
  int failed = 0;
  for (const auto& worker : workers) failed |= worker->Join();
  return failed;
}

}  // namespace sockflow::testing
