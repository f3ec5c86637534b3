// SPDX-License-Identifier: MIT

// Makes TCP sessions over loopback in every way that a session can go, between processes of many
// names and users, and writes down what each socket did: the truth that an observer is measured
// against.
//
//   session_maker TRUTH_FILE SESSIONS SESSIONS_PER_SECOND
//
// One JSON object a line, for each socket: kind, family, direction, local, local_port, remote,
// remote_port, pid, name, uid, sent, received (null where what arrives is not determined),
// start_min, start_max (milliseconds since 1970, between which the session began).

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/kernel/actors.h"

namespace sockflow::testing {
namespace {

enum class Kind : uint8_t {
  kClientCloses,
  kServerCloses,
  kClientResets,
  kServerResets,
  kHalfClose,        // the client shuts down its half first, the reply comes after that
  kServerHalfClose,  // the server does, the client goes on sending
  kSilent,           // connected and closed, no payload
  kUnreadReset,      // the client closes with the reply unread, which makes a RST
  kKilledClient,
  kKilledServer,
  kRefused,
};
constexpr std::string_view kKindNames[] = {
    "client_closes", "server_closes", "client_resets", "server_resets", "half_close",
    "server_half_close", "silent", "unread_reset", "killed_client", "killed_server", "refused"};

constexpr Family kFamilies[] = {Family::kV4, Family::kV6, Family::kV4Mapped};
constexpr std::string_view kFamilyNames[] = {"ipv4", "ipv6", "v4mapped"};

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

// The first octets of a request say what the server is to do.
struct Request {
  Kind kind;
  bool prefork;
  uint8_t family;
  uint8_t padding = 0;
  uint32_t octets;  // of the request, with this
  uint32_t reply_octets;
};
constexpr size_t kSizes[] = {0, 1, 100, 1448, 5'000, 65'536, 200'000};

struct Persona {
  const char* name;
  uid_t uid;
};
constexpr uid_t kDaemon = 1, kNobody = 65'534, kUnlisted = 54'321;
constexpr Persona kServers[] = {
    {"e2e-httpd", 0}, {"e2e-nginx", kNobody}, {"e2e-db", kDaemon}, {"e2e-cache", kUnlisted}};
constexpr Persona kPreforkParent = {"e2e-prefork", 0};
constexpr Persona kWorkers[] = {{"e2e-worker-a", kNobody}, {"e2e-worker-b", kDaemon}};
constexpr Persona kClients[] = {{"e2e-curl", 0},
                                {"e2e-browser", kNobody},
                                {"e2e backup", kDaemon},
                                {"e2e-b\xC3\xA4tch", kUnlisted},
                                {"e2e-threads", 0}};
// The client whose sessions are made by a thread of another name.
constexpr size_t kThreadedClient = std::size(kClients) - 1;

using Ports = std::array<uint16_t, std::size(kFamilies)>;

// Memory that all processes share.
struct Board {
  Ports servers[std::size(kServers)];
  Ports prefork;
};

int truth_fd = -1;
std::string own_name;
uid_t own_uid = 0;

double NowMs() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void Become(const Persona& persona) {
  NameProcess(persona.name);
  own_name = persona.name;
  if (persona.uid != own_uid) {
    Require(setgroups(0, nullptr) == 0, "setgroups");
    Require(setresgid(persona.uid, persona.uid, persona.uid) == 0, "setresgid");
    Require(setresuid(persona.uid, persona.uid, persona.uid) == 0, "setresuid");
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a change of user had cleared it
  }
  own_uid = persona.uid;
}

struct Address {
  std::string text;
  uint16_t port = 0;
};

// v4-mapped addresses as IPv4: on the wire they are.
Address Read(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN];
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    return {text, ntohs(v4.sin_port)};
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text, sizeof(text));
  } else {
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
  }
  return {text, ntohs(v6.sin6_port)};
}

// One connected socket and what went through it.
class Session {
 public:
  Session(int fd, bool active, uint8_t family, double start_min, double start_max)
      : fd_(fd), active_(active), family_(family), start_min_(start_min), start_max_(start_max) {
    sockaddr_storage address;
    socklen_t length = sizeof(address);
    Require(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0, "getsockname");
    local_ = Read(address);
  }

  // Not getpeername(): a refused connect has no peer, an accepted socket that was reset meanwhile
  // neither.
  void set_remote(const sockaddr_storage& remote) { remote_ = Read(remote); }
  void set_family(uint8_t family) { family_ = family; }

  void Send(size_t octets) {
    if (octets > 0) SendAll(fd_, octets);
    sent_ += octets;
  }
  void Send(const Request& request) {
    Require(send(fd_, &request, sizeof(request), MSG_NOSIGNAL) == sizeof(request), "send request");
    sent_ += sizeof(request);
    Send(request.octets - sizeof(request));
  }
  // False if the peer closed instead.
  bool Receive(Request* request) {
    const ssize_t got = recv(fd_, request, sizeof(*request), MSG_WAITALL);
    if (got == 0) return false;
    Require(got == sizeof(*request), "recv request");
    received_ += sizeof(*request);
    Receive(request->octets - sizeof(*request));
    return true;
  }
  void Receive(size_t octets) {
    if (octets > 0) ReceiveAll(fd_, octets);
    received_ += octets;
  }
  void ReceiveEnd() { received_ += ReceiveToEnd(fd_); }
  void ReceiveReset() {
    char octet;
    const ssize_t got = recv(fd_, &octet, 1, 0);
    Require(got == -1 && errno == ECONNRESET, "recv of a reset");
  }
  void WaitReadable() {
    pollfd wanted = {.fd = fd_, .events = POLLIN, .revents = 0};
    Require(poll(&wanted, 1, 10'000) == 1, "poll for a reply");
  }
  void ShutDown() { Require(shutdown(fd_, SHUT_WR) == 0, "shutdown"); }
  void Close() { close(fd_); }
  void Reset() { CloseWithReset(fd_); }

  // Short lines to a file opened for appending: they do not mix. Before a SIGKILL, so it is a call.
  void Tell(Kind kind, bool prefork, bool counted = true) const {
    const auto octets = [counted](size_t count) {
      return counted ? std::to_string(count) : std::string("null");
    };
    char line[512];
    const int length = snprintf(
        line, sizeof(line),
        "{\"kind\":\"%s%s\",\"family\":\"%s\",\"direction\":\"%s\",\"local\":\"%s\","
        "\"local_port\":%u,\"remote\":\"%s\",\"remote_port\":%u,\"pid\":%d,\"name\":\"%s\","
        "\"uid\":%u,\"sent\":%s,\"received\":%s,\"start_min\":%.3f,\"start_max\":%.3f}\n",
        prefork ? "prefork_" : "", kKindNames[static_cast<size_t>(kind)].data(),
        kFamilyNames[family_].data(), active_ ? "active" : "passive", local_.text.c_str(),
        local_.port, remote_.text.c_str(), remote_.port, getpid(), own_name.c_str(), own_uid,
        octets(sent_).c_str(), octets(received_).c_str(), start_min_, start_max_);
    Require(length < static_cast<int>(sizeof(line)) && write(truth_fd, line, length) == length,
            "write the truth");
  }

 private:
  int fd_;
  bool active_;
  uint8_t family_;
  double start_min_, start_max_;
  Address local_, remote_;
  size_t sent_ = 0, received_ = 0;
};

// --- servers ---

// False if there is nobody to accept.
bool AcceptAndServe(int listener) {
  sockaddr_storage peer;
  socklen_t length = sizeof(peer);
  const int fd = accept4(listener, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC);
  if (fd < 0) return false;
  Session session(fd, false, 0, 0, NowMs());
  session.set_remote(peer);
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

// --- clients ---

Session ConnectTo(size_t family, uint16_t port) {
  const double before = NowMs();
  const int fd = Connect(kFamilies[family], port);
  Session session(fd, true, family, before, NowMs());
  sockaddr_storage address;
  LoopbackAddress(kFamilies[family], port, &address);
  session.set_remote(address);
  return session;
}

// The port is bound but does not listen.
void BeRefused(size_t family, uint16_t port) {
  const int fd = NewSocket(kFamilies[family]);
  sockaddr_storage address;
  socklen_t length = LoopbackAddress(kFamilies[family], 0, &address);
  // Bound first: a failed connect gives up a port that it chose itself.
  Require(bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0, "bind");
  Session session(fd, true, family, NowMs(), NowMs() + 1000);
  LoopbackAddress(kFamilies[family], port, &address);
  session.set_remote(address);
  Require(TryConnect(fd, kFamilies[family], port) == ECONNREFUSED, "connect that is refused");
  session.Close();
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
  const Persona persona = {"e2e-doomed-srv", own_uid};
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
  const Persona persona = {"e2e-doomed-cli", own_uid};
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
  truth_fd = open(truth_file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  Require(truth_fd >= 0, "open the truth file");
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
