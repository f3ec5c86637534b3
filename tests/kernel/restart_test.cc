// SPDX-License-Identifier: MIT
// An observer that is killed amid sessions, and the next one.
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <utility>
#include <vector>

#include "tests/kernel/kernel_test.h"

namespace sockflow::testing {
namespace {

class RestartTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (!IsSkipped()) source_.reset();
  }
};

// Sessions that come and go, until it is killed.
int MakeLoad(uint16_t port, int listener) {
  for (;;) {
    const int client = Connect(Family::kV4, port);
    const int server = Accept(listener);
    CloseWithReset(client);
    close(server);
    usleep(1000);  // leaves an emulated CPU to the others
  }
}

TEST_F(RestartTest, KilledUnderLoadTheNextOneMissesNoEnd) {
  constexpr size_t kSessions = 40;
  uint16_t port, load_port;
  const int listener = Listen(Family::kV4, &port, kSessions), load_listener = Listen(Family::kV4, &load_port);
  std::vector<int> clients, servers;
  const auto open_some = [&] {
    for (size_t i = 0; i < kSessions / 2; ++i) {
      clients.push_back(Connect(Family::kV4, port));
      servers.push_back(Accept(listener));
    }
  };
  // First, so that it holds none of the sockets.
  Actor load("load", [&] { return MakeLoad(load_port, load_listener); });
  open_some();
  Gate attached;
  Actor observer("observer", [&] {
    auto source = EbpfEventSource::Open(tier_, {.active_timeout = std::chrono::milliseconds(100)});
    Require(source.ok(), "attach");
    uint64_t events = 0;
    for (;;) {
      (void)(*source)->Poll(std::chrono::milliseconds(5), [&](const SessionEvent& event) {
        const bool is_new = event.kind == SessionEvent::Kind::kClose && event.remote.port == load_port;
        if (is_new && ++events == 20) attached.Post();
      });
    }
    return 0;
  });
  attached.Wait();
  open_some();  // the first one sees these begin
  observer.Kill();
  AttachAndFind({});
  CollectFor(std::chrono::milliseconds(50));
  ASSERT_EQ(Records(port).size(), 2 * kSessions) << "a start each";
  load.Kill();
  for (const int fd : clients) {
    SendAll(fd, 10);
    close(fd);
  }
  for (const int fd : servers) {
    ReceiveToEnd(fd);
    close(fd);
  }
  CollectEnds(port, 2 * kSessions);
  std::map<SessionId, std::vector<Record>> sessions;
  for (const Record& record : Records(port)) sessions[record.session.id].push_back(record);
  EXPECT_EQ(sessions.size(), 2 * kSessions);
  for (const auto& [id, records] : sessions) {
    ASSERT_EQ(records.size(), 2u);
    EXPECT_THAT(records[0].session, IsOwnedBy(getpid(), "kernel_test"));
    EXPECT_THAT(records[1].session, IsOwnedBy(getpid(), "kernel_test"));
    const SessionRecord end{records[1].kind, records[1].session};
    EXPECT_EQ(std::pair(end.initiator_octets(), end.responder_octets()), std::pair(uint64_t{10}, uint64_t{0}));
  }
  close(listener);
  close(load_listener);
}

}  // namespace
}  // namespace sockflow::testing
