// SPDX-License-Identifier: MIT
#include "tests/e2e/session_maker/troubled.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <optional>
#include <thread>

#include "tests/kernel/packet_drop.h"
#include "tests/kernel/unreachable_router.h"

namespace sockflow::testing {
namespace {

constexpr unsigned kGiveUpMs = 300;
// Small, so that there are many packets to lose.
constexpr int kSegmentOctets = 1400;
constexpr int kLossPercent = 10;
constexpr size_t kLossyOctets = 150'000;

void Set(int fd, int option, int value) {
  Require(setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value)) == 0, "setsockopt of TCP");
}

struct Pair {
  Session client, server;
};

Pair Open(size_t family) {
  uint16_t port;
  const int listener = Listen(kFamilies[family], &port);
  Set(listener, TCP_MAXSEG, kSegmentOctets);
  Session client = ConnectTo(family, port);
  std::optional<Session> server = AcceptFrom(listener);
  Require(server.has_value(), "accept");
  server->set_family(static_cast<uint8_t>(family));
  close(listener);
  return {client, *server};
}

void Tell(const Pair& pair, Kind kind) {
  pair.client.Tell(kind, false);
  pair.server.Tell(kind, false);
}

void BeLossy(size_t family) {
  Pair pair = Open(family);
  DropSome(pair.client.fd(), kLossPercent);
  DropSome(pair.server.fd(), kLossPercent);
  std::thread sender([&] { pair.client.Send(kLossyOctets); });
  std::thread receiver([&] { pair.server.Receive(kLossyOctets); });
  sender.join();
  receiver.join();
  sender = std::thread([&] { pair.server.Send(kLossyOctets / 3); });
  pair.client.Receive(kLossyOctets / 3);
  sender.join();
  // Nothing of the end is lost.
  DropNothing(pair.client.fd());
  DropNothing(pair.server.fd());
  pair.client.Close();
  pair.server.ReceiveEnd();
  pair.server.Close();
  Tell(pair, Kind::kLossy);
}

void TimeOut(size_t family) {
  uint16_t port;
  const int listener = Listen(kFamilies[family], &port);
  DropAll(listener);
  Session session = PrepareConnect(family, port);
  Set(session.fd(), TCP_USER_TIMEOUT, kGiveUpMs);
  Require(TryConnect(session.fd(), kFamilies[family], port) == ETIMEDOUT, "connect that times out");
  session.Abandon();
  session.Tell(Kind::kTimedOut, false);
  close(listener);
}

void HearOfNetworkError(size_t family) {
  uint16_t port;
  const int listener = Listen(kFamilies[family], &port);
  DropAll(listener);
  UnreachableRouter router;
  Session session = PrepareConnect(family, port);
  Require(fcntl(session.fd(), F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");
  Require(TryConnect(session.fd(), kFamilies[family], port) == EINPROGRESS, "connect");
  router.Report(port);
  session.WaitReadable();
  session.ReceiveError(EHOSTUNREACH);
  session.Abandon();
  session.Tell(Kind::kNetworkError, false);
  // The listener stays as long as the process: a SYN that is sent again must not be answered, as it would be by
  // its closed port.
}

void BeUnanswered(size_t family) {
  Pair pair = Open(family);
  pair.client.Send(1000);
  pair.server.Receive(1000);
  DropAll(pair.server.fd());
  Set(pair.client.fd(), TCP_USER_TIMEOUT, kGiveUpMs);
  pair.client.Send(500);
  pair.client.ReceiveError(ETIMEDOUT);
  pair.client.Close();
  // What is sent now, the other end knows nothing of: it resets.
  DropNothing(pair.server.fd());
  pair.server.Send(1);
  pair.server.ReceiveReset();
  pair.server.Close();
  Tell(pair, Kind::kUnanswered);
}

void LeaveUnaccepted(size_t family) {
  uint16_t port;
  const int listener = Listen(kFamilies[family], &port);
  Session session = ConnectTo(family, port);
  // What comes for it is sent when the handshake is over at the other end, too.
  WaitReadable(listener);
  session.Send(10);
  session.WaitAcknowledged();
  close(listener);
  session.ReceiveReset();
  session.Close();
  session.Tell(Kind::kNotAccepted, false);
  session.OtherEnd().Tell(Kind::kNotAccepted, false);
}

void CloseAtOnce(size_t family) {
  Pair pair = Open(family);
  pair.client.Send(100);
  pair.server.Receive(100);
  // Each sends its FIN before it has that of the other.
  DropAll(pair.client.fd());
  pair.server.ShutDown();
  pair.client.ShutDown();
  DropNothing(pair.client.fd());
  pair.client.ReceiveEnd();  // its FIN comes again
  pair.server.ReceiveEnd();
  pair.client.Close();
  pair.server.Close();
  Tell(pair, Kind::kSimultaneous);
}

}  // namespace

void MakeTroubledSessions(size_t rounds) {
  Become(kTroubled);
  for (size_t i = 0; i < rounds; ++i) {
    const size_t family = i % std::size(kFamilies);
    BeLossy(family);
    TimeOut(family);
    HearOfNetworkError(family);
    BeUnanswered(family);
    LeaveUnaccepted(family);
    CloseAtOnce(family);
  }
}

}  // namespace sockflow::testing
