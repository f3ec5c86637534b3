// SPDX-License-Identifier: MIT
// Who called connect().

#include <linux/sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <thread>

#include "tests/e2e/owners/owner_test.h"

namespace sockflow::testing {
namespace {

constexpr auto kMoment = std::chrono::milliseconds(1);

class ConnectTest : public OwnerTest {
 protected:
  void SetUp() override {
    OwnerTest::SetUp();
    if (IsSkipped()) return;
    StartWatching();
    server_.emplace("server");
  }

  // Connects, and leaves the port where the test sees it.
  int ConnectAndTell() const {
    const int fd = Connect(Family::kV4, server_->port());
    *port_ = PortOf(fd);
    return fd;
  }

  std::optional<Server> server_;
  Shared<uint16_t> port_;
};

TEST_P(ConnectTest, ShortConnectionsOfManyProcesses) {
  const Bystanders others(100, 10);
  const ConnectionLoad::Options options = {.server_port = server_->port(), .connections = 300};
  ConnectionLoad load(options);
  watch_->RunWhile([&] { return load.Running(); });
  watch_->RunUntilQuiet(std::chrono::milliseconds(50));
  int known = 0;
  const std::vector<Truth> truth = load.truth();
  for (int i = 0; i < options.connections; ++i) {
    const WatchedEnd* active = watch_->Active(truth[i].port, truth[i].begun);
    const WatchedEnd* passive = watch_->Passive(truth[i].port, truth[i].begun);
    ExpectNobodyBut(active, truth[i].pid);
    ExpectNobodyBut(passive, server_->pid());
    if (active == nullptr || !active->best.process) continue;
    EXPECT_EQ(active->best.process->name.view(), ConnectionLoad::NameOf(options, i));
    ++known;
  }
  // The search depends on who gets the processor when; the tracepoint does not.
  EXPECT_GE(known, traced() ? options.connections * 99 / 100 : 0) << "nobody was found too often";
}

TEST_P(ConnectTest, AllIsKnownOfTheProcess) {
  Actor client("client", [&] {
    const int fd = ConnectAndTell();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    close(fd);
    return 0;
  });
  WatchUntilDone(client);
  const WatchedEnd* end = watch_->Active(*port_);
  ExpectOwner(end, client.pid(), "client");
  if (!end->best.process) return;
  EXPECT_EQ(end->best.process->parent_pid, getpid());
  EXPECT_EQ(end->best.process->uid, 0);
  EXPECT_NE(end->best.process->start_time, 0);
  EXPECT_EQ(end->best.process->thread_name.view(), "client");
  EXPECT_EQ(end->best.process->parent_name.view().substr(0, 10), "owner_find");
  EXPECT_EQ(end->best.attribution, traced() ? Attribution::kCaller : Attribution::kHolder);
}

TEST_P(ConnectTest, ForkAfterConnect) {
  Actor parent("parent", [&] {
    const int fd = ConnectAndTell();
    if (fork() == 0) {
      NameProcess("child");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      close(fd);
      _exit(0);
    }
    // Long enough that the search finds both with it.
    std::this_thread::sleep_for(std::chrono::milliseconds(15));
    close(fd);
    wait(nullptr);
    return 0;
  });
  WatchUntilDone(parent);
  ExpectOwner(watch_->Active(*port_), parent.pid(), "parent");
}

TEST_P(ConnectTest, ExecAfterConnect) {
  Actor before("before", [&] {
    const int fd = ConnectAndTell();
    fcntl(fd, F_SETFD, 0);
    execl("/bin/sleep", "sleep", "0.02", nullptr);
    return 1;
  });
  WatchUntilDone(before);
  const WatchedEnd* end = watch_->Active(*port_);
  ExpectNobodyBut(end, before.pid());
  // The name at connect(). The search comes later.
  if (traced()) ExpectOwner(end, before.pid(), "before");
}

TEST_P(ConnectTest, PassedToAnother) {
  int channel[2];
  Require(socketpair(AF_UNIX, SOCK_DGRAM, 0, channel) == 0, "socketpair");
  Gate got;
  Actor receiver("receiver", [&] {
    const int fd = ReceiveDescriptor(channel[1]);
    got.Post();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    close(fd);
    return 0;
  });
  Actor sender("sender", [&] {
    const int fd = ConnectAndTell();
    SendDescriptor(channel[0], fd);
    got.Wait();
    close(fd);
    return 0;
  });
  WatchUntilDone(receiver);
  // Found by its descriptors the receiver cannot be told from the one that connected, if that is gone.
  if (traced()) ExpectOwner(watch_->Active(*port_), sender.pid(), "sender");
  close(channel[0]);
  close(channel[1]);
}

TEST_P(ConnectTest, ThreadOfAProcess) {
  Actor client("leader", [&] {
    std::thread([&] {
      NameProcess("worker");  // names the thread
      const int fd = ConnectAndTell();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      close(fd);
    }).join();
    return 0;
  });
  WatchUntilDone(client);
  const WatchedEnd* end = watch_->Active(*port_);
  ExpectOwner(end, client.pid(), "leader");
  if (!traced()) return;
  EXPECT_EQ(end->best.process->thread_name.view(), "worker");
  EXPECT_NE(end->best.process->thread_id, end->best.process->pid);
}

// A process with a pid of our choice.
pid_t ForkAs(pid_t pid) {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  if (pid != 0) {
    arguments.set_tid = reinterpret_cast<uint64_t>(&pid);
    arguments.set_tid_size = 1;
  }
  return static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof(arguments)));
}

TEST_P(ConnectTest, PidUsedAgain) {
  struct Ends {
    pid_t pid;
    uint16_t ports[3];
    bool refused;
  };
  Shared<Ends> ends;
  Actor maker("maker", [&] {
    for (int i = 0; i < 3; ++i) {
      const pid_t child = ForkAs(i == 0 ? 0 : ends->pid);
      if (child < 0) {
        ends->refused = true;
        return 0;
      }
      if (child == 0) {
        NameProcess("life-" + std::to_string(i));
        ends->pid = getpid();
        const int fd = Connect(Family::kV4, server_->port());
        ends->ports[i] = PortOf(fd);
        std::this_thread::sleep_for(kMoment);
        close(fd);
        _exit(0);
      }
      waitpid(child, nullptr, 0);
    }
    return 0;
  });
  WatchUntilDone(maker);
  if (ends->refused) GTEST_SKIP() << "needs clone3() with set_tid (Linux 5.5)";
  for (int i = 0; i < 3; ++i) {
    ExpectOwner(watch_->Active(ends->ports[i]), ends->pid, "life-" + std::to_string(i));
  }
}

TEST_P(ConnectTest, BothFamilies) {
  for (const Family family : {Family::kV6, Family::kV4Mapped}) {
    Shared<uint16_t> server_port;
    Gate listening;
    Actor server("server", [&] {
      const int listener = Listen(family, &*server_port);
      listening.Post();
      ReceiveToEnd(Accept(listener));
      return 0;
    });
    listening.Wait();
    Actor client("client", [&] {
      const int fd = Connect(family, *server_port);
      *port_ = PortOf(fd);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      return 0;
    });
    WatchUntilDone(server);
    ExpectOwner(watch_->Active(*port_), client.pid(), "client");
    ExpectOwner(watch_->Passive(*port_), server.pid(), "server");
  }
}

TEST_P(ConnectTest, Refused) {
  Actor client("client", [&] {
    const int fd = NewSocket(Family::kV4);
    const int unused = NewSocket(Family::kV4);
    sockaddr_storage address;
    const socklen_t length = LoopbackAddress(Family::kV4, 0, &address);
    bind(unused, reinterpret_cast<sockaddr*>(&address), length);
    bind(fd, reinterpret_cast<sockaddr*>(&address), length);
    *port_ = PortOf(fd);
    return TryConnect(fd, Family::kV4, PortOf(unused)) == ECONNREFUSED ? 0 : 1;
  });
  WatchUntilDone(client);
  EXPECT_EQ(client.Join(), 0);
  const WatchedEnd* end = watch_->Active(*port_);
  ASSERT_NE(end, nullptr) << "nobody was found: no packet was seen";
  if (traced()) {
    ASSERT_TRUE(end->best.process) << "nobody was found";
    EXPECT_EQ(end->best.process->name.view(), "client");
  }
  EXPECT_FALSE(end->best.established);
}

// The SYN is not answered: what the tracepoint tells is the port's only as it is over.
TEST_P(ConnectTest, Unanswered) {
  Shared<uint16_t> full_port;
  Gate full;
  Actor deaf("deaf", [&] {
    const int listener = Listen(Family::kV4, &*full_port, 0);
    Connect(Family::kV4, PortOf(listener));  // takes the only place in the queue
    full.Post();
    pause();
    return 0;
  });
  WatchUntil(full);
  Gate sent;
  Actor client("client", [&] {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    TryConnect(fd, Family::kV4, *full_port);
    *port_ = PortOf(fd);
    sent.Post();
    pause();
    return 0;
  });
  WatchUntil(sent);
  const Time until = Now() + std::chrono::seconds(5);
  watch_->RunWhile([&] {
    const WatchedEnd* end = watch_->Active(*port_);
    return (end == nullptr || !end->best.process) && Now() < until;
  });
  const WatchedEnd* end = watch_->Active(*port_);
  ASSERT_NE(end, nullptr) << "nobody was found: no packet was seen";
  ASSERT_TRUE(end->best.process) << "nobody was found";
  EXPECT_EQ(end->best.process->pid, client.pid());
  EXPECT_EQ(end->best.attribution, Attribution::kHolder);
  EXPECT_FALSE(end->best.established);
}

constexpr uint16_t kClientPort = 23'456;
constexpr uint16_t kServerPort = 23'457;

// Both ends of a session of these ports, in one process.
void ServeAndConnect(const char* name) {
  const auto bind_to = [](int fd, uint16_t port) {
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_storage address;
    const socklen_t length = LoopbackAddress(Family::kV4, port, &address);
    Require(bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0, "bind");
  };
  NameProcess(name);
  const int listener = NewSocket(Family::kV4);
  bind_to(listener, kServerPort);
  Require(listen(listener, 1) == 0, "listen");
  const int fd = NewSocket(Family::kV4);
  bind_to(fd, kClientPort);
  Require(TryConnect(fd, Family::kV4, kServerPort) == 0, "connect");
}

// The same addresses and ports, in two network namespaces, one while the other is open.
TEST_P(ConnectTest, AnotherNetworkNamespace) {
  Gate open, over;
  Actor elsewhere("elsewhere", [&] {
    EnterNewNetworkNamespace();
    ServeAndConnect("elsewhere");
    open.Post();
    over.Wait();
    return 0;
  });
  WatchUntil(open);
  Actor here("here", [&] {
    ServeAndConnect("here");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return 0;
  });
  WatchUntilDone(here);
  over.Post();
  WatchUntilDone(elsewhere);
  ExpectOwner(watch_->Active(kClientPort), here.pid(), "here");
  ExpectNobodyBut(watch_->Passive(kClientPort), here.pid());
}

// At the same instant, and both are gone before anybody can ask in which namespace they were.
TEST_P(ConnectTest, AnotherNetworkNamespaceAtOnce) {
  for (int i = 0; i < 20; ++i) {
    Gate ready, go;
    const auto wait_for_start = [&] {
      ready.Post();
      go.Wait();
    };
    Actor elsewhere("elsewhere", [&] {
      EnterNewNetworkNamespace();
      wait_for_start();
      ServeAndConnect("elsewhere");
      return 0;
    });
    Actor here("here", [&] {
      wait_for_start();
      ServeAndConnect("here");
      return 0;
    });
    WatchUntil(ready);
    WatchUntil(ready);
    const Time begun = Now();
    go.Post();
    go.Post();
    WatchUntilDone(here);
    WatchUntilDone(elsewhere);
    ExpectNobodyBut(watch_->Active(kClientPort, begun), here.pid());
    ExpectNobodyBut(watch_->Passive(kClientPort, begun), here.pid());
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, ConnectTest, ::testing::Bool(),
                         [](const auto& way) { return way.param ? "Trace" : "Search"; });

}  // namespace
}  // namespace sockflow::testing
