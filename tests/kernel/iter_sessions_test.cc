// SPDX-License-Identifier: MIT
// iter/bpf_sk_storage_map and iter/bpf_map_elem: the counters of sessions that go on.
#include <bpf/bpf.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <initializer_list>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "tests/kernel/kernel_test.h"

namespace sockflow::testing {
namespace {

using std::chrono::milliseconds;

class IterSessionsTest : public KernelTest {};

TEST_F(IterSessionsTest, UpdatesAddUpToWhatWasSent) {
  constexpr milliseconds kTimeout(200);
  source_.reset();
  Attach({.active_timeout = kTimeout});
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  const int client = Connect(Family::kV4, port);
  const int server = Accept(listener);
  constexpr size_t kRounds = 5, kOctets = 10'000;
  for (size_t round = 0; round < kRounds; ++round) {
    SendAll(client, kOctets);
    ReceiveAll(server, kOctets);
    SendAll(server, 1);
    ReceiveAll(client, 1);
    CollectFor(2 * kTimeout);
  }
  close(client);
  ReceiveToEnd(server);
  close(server);
  CollectEnds(port, 2);
  close(listener);

  for (const Direction direction : {Direction::kActive, Direction::kPassive}) {
    uint64_t sum = 0;
    size_t updates = 0, idle = 0;
    Time last{};
    for (const auto& [kind, session] : Records(port)) {
      if (session.direction != direction) continue;
      if (kind == SessionRecord::Kind::kStart) continue;
      const uint64_t since = SessionRecord{kind, session}.initiator_octets();
      sum += since;
      EXPECT_THAT(session, IsOwnedBy(getpid(), session.process->name.view()));
      if (kind != SessionRecord::Kind::kUpdate) continue;
      ++updates;
      idle += since == 0;
      if (last != Time{}) {
        EXPECT_GE(session.ended - last, kTimeout);
      }
      last = session.ended;
    }
    EXPECT_EQ(sum, kRounds * kOctets);
    EXPECT_GE(updates, kRounds);       // twice the timeout each round
    EXPECT_LE(updates, 2 * kRounds + 1);
    EXPECT_LE(idle, updates - kRounds);
  }
}

TEST_F(IterSessionsTest, ASessionThatEndsInTimeHasNoUpdate) {
  source_.reset();
  Attach({.active_timeout = std::chrono::seconds(60)});
  uint16_t port;
  const int listener = Listen(Family::kV6, &port);
  const int client = Connect(Family::kV6, port);
  const int server = Accept(listener);
  CollectFor(milliseconds(100));
  close(client);
  ReceiveToEnd(server);
  close(server);
  CollectEnds(port, 2);
  for (const Record& record : Records(port)) EXPECT_NE(record.kind, SessionRecord::Kind::kUpdate);
  close(listener);
}

// More than the kernel hands over at once, and than the reader takes at once.
TEST_F(IterSessionsTest, ManySessionsAreToldOnceEach) {
  constexpr size_t kSessions = 600;
  constexpr milliseconds kTimeout(2000);
  const rlimit enough = {4 * kSessions, 4 * kSessions};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &enough), 0);
  source_.reset();
  uint16_t port;
  const int listener = Listen(Family::kV4, &port, 16);
  std::vector<int> sockets;
  for (size_t i = 0; i < kSessions; ++i) {
    sockets.push_back(Connect(Family::kV4, port));
    sockets.push_back(Accept(listener));
  }
  AttachAndFind({.active_timeout = kTimeout});
  CollectFor(milliseconds(200));
  EXPECT_EQ(Records(port).size(), 2 * kSessions);
  CollectFor(kTimeout + kTimeout / 3);
  std::map<SessionId, size_t> updates;
  for (const Record& record : Records(port)) {
    updates[record.session.id] += record.kind == SessionRecord::Kind::kUpdate;
  }
  EXPECT_EQ(updates.size(), 2 * kSessions);
  for (const auto& [id, count] : updates) EXPECT_EQ(count, 1u) << id;
  for (const int fd : sockets) close(fd);
  close(listener);
  CollectEnds(port, 2 * kSessions);
}

// Takes from the kernel half what it remembers of all sessions, as if it had never seen that they ended.
void ForgetSessions(std::initializer_list<int> sockets) {
  uint32_t id = 0;
  while (bpf_map_get_next_id(id, &id) == 0) {
    const int map = bpf_map_get_fd_by_id(id);
    bpf_map_info info = {};
    uint32_t size = sizeof(info);
    if (map >= 0 && bpf_obj_get_info_by_fd(map, &info, &size) == 0) {
      // Socket storage knows its sockets by their descriptors.
      if (std::string_view(info.name) == "socket_sessions") {
        for (const int socket : sockets) bpf_map_delete_elem(map, &socket);
      }
      uint64_t key = 0;
      while (std::string_view(info.name) == "hashed_sessions" && bpf_map_get_next_key(map, nullptr, &key) == 0) {
        bpf_map_delete_elem(map, &key);
      }
    }
    close(map);
  }
}

TEST_F(IterSessionsTest, AnEndThatNoHookSawIsFoundLater) {
  source_.reset();
  Attach({.active_timeout = milliseconds(200)});
  uint16_t port;
  const int listener = Listen(Family::kV4, &port);
  const int lost_client = Connect(Family::kV4, port);
  const int lost_server = Accept(listener);
  SendAll(lost_client, 1000);
  ReceiveAll(lost_server, 1000);
  CollectFor(milliseconds(500));
  std::set<SessionId> lost;
  for (const Record& record : Records(port)) lost.insert(record.session.id);
  EXPECT_EQ(lost.size(), 2u);
  ForgetSessions({lost_client, lost_server});
  const int client = Connect(Family::kV4, port);
  const int server = Accept(listener);
  CollectEnds(port, 2);
  for (const auto& [kind, session] : Records(port)) {
    if (kind != SessionRecord::Kind::kEnd) continue;
    EXPECT_TRUE(lost.contains(session.id)) << "one that goes on";
    EXPECT_EQ(EndCauseOf(session), EndCause::kNotSeen);
    EXPECT_EQ(session.tcp.octets_sent + session.tcp.octets_received, 1000u);
  }
  close(client);
  ReceiveToEnd(server);
  close(server);
  CollectEnds(port, 4);
  for (const int fd : {lost_client, lost_server, listener}) close(fd);
}

}  // namespace
}  // namespace sockflow::testing
