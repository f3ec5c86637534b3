// SPDX-License-Identifier: MIT
// Who called accept().

#include <sys/socket.h>
#include <sys/wait.h>

#include <thread>

#include "tests/e2e/owners/owner_test.h"

namespace sockflow::testing {
namespace {

class AcceptTest : public OwnerTest {
 protected:
  // Connects once, and stays until the server closes; the client's port.
  uint16_t ConnectTo(uint16_t server_port) {
    Actor client("client", [&] {
      const int fd = Connect(Family::kV4, server_port);
      *port_ = PortOf(fd);
      ReceiveToEnd(fd);
      return 0;
    });
    WatchUntilDone(client);
    return *port_;
  }

  Shared<uint16_t> port_;
  Shared<uint16_t> server_port_;
  Shared<pid_t> acceptor_;
  Gate listening_;
};

void ServeOne(int listener) {
  const int fd = Accept(listener);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  close(fd);
}

TEST_P(AcceptTest, ListensBeforeTheFinder) {
  Actor server("server", [&] {
    const int listener = Listen(Family::kV4, &*server_port_);
    listening_.Post();
    for (;;) ServeOne(listener);
    return 0;
  });
  listening_.Wait();
  StartWatching();
  // It takes a while to look at all processes.
  const WatchedEnd* end = nullptr;
  const Time until = Now() + std::chrono::seconds(20);
  do {
    end = watch_->Passive(ConnectTo(*server_port_));
    ASSERT_NE(end, nullptr) << "nobody was found: no packet was seen";
    ExpectNobodyBut(end, server.pid());
  } while (!end->best.process && Now() < until);
  ASSERT_TRUE(end->best.process) << "nobody was found";
  EXPECT_EQ(end->best.process->name.view(), "server");
  EXPECT_EQ(end->best.attribution, traced() ? Attribution::kCaller : Attribution::kListener);
}

TEST_P(AcceptTest, Prefork) {
  StartWatching();
  Actor master("master", [&] {
    const int listener = Listen(Family::kV4, &*server_port_);
    for (int i = 0; i < 3; ++i) {
      if (fork() != 0) continue;
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      NameProcess("worker");
      for (;;) {
        const int fd = Accept(listener);
        *acceptor_ = getpid();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        close(fd);
      }
    }
    listening_.Post();
    pause();
    return 0;
  });
  WatchUntil(listening_);
  for (int i = 0; i < 10; ++i) {
    const WatchedEnd* end = watch_->Passive(ConnectTo(*server_port_));
    if (traced()) {
      ExpectOwner(end, *acceptor_, "worker");
      EXPECT_EQ(end->best.attribution, Attribution::kCaller);
    } else {
      ExpectNobodyBut(end, *acceptor_);
    }
  }
}

// Who holds an open session is found before its end.
TEST_P(AcceptTest, PreforkLongSession) {
  Actor master("master", [&] {
    const int listener = Listen(Family::kV4, &*server_port_);
    for (int i = 0; i < 2; ++i) {
      if (fork() != 0) continue;
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      NameProcess("worker");
      for (;;) {
        const int fd = Accept(listener);
        *acceptor_ = getpid();
        ReceiveToEnd(fd);
        close(fd);
      }
    }
    listening_.Post();
    pause();
    return 0;
  });
  listening_.Wait();
  StartWatching();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the workers are older than the session
  Gate connected;
  Actor client("client", [&] {
    const int fd = Connect(Family::kV4, *server_port_);
    *port_ = PortOf(fd);
    connected.Post();
    pause();
    return 0;
  });
  WatchUntil(connected);
  const Time until = Now() + std::chrono::seconds(20);
  const auto end = [&] { return watch_->Passive(*port_); };
  watch_->RunWhile([&] { return Now() < until && (end() == nullptr || !end()->best.process); });
  ASSERT_NE(end(), nullptr);
  ASSERT_TRUE(end()->best.process) << "nobody was found";
  EXPECT_EQ(end()->best.process->pid, *acceptor_);
  EXPECT_EQ(end()->best.attribution, Attribution::kHolder);
  EXPECT_TRUE(end()->best.established);
  EXPECT_TRUE(watch_->finder().HasSocket(end()->end.local, end()->end.remote));
  client.Kill();
  watch_->RunUntilQuiet(std::chrono::milliseconds(50));
  EXPECT_FALSE(watch_->finder().HasSocket(end()->end.local, end()->end.remote));
}

// It accepts, and forks a child for each session.
TEST_P(AcceptTest, Forking) {
  for (const bool child_keeps_listener : {false, true}) {
    StartWatching();
    Actor server("server", [&] {
      const int listener = Listen(Family::kV4, &*server_port_);
      listening_.Post();
      for (;;) {
        const int fd = Accept(listener);
        if (fork() == 0) {
          NameProcess("child");
          if (!child_keeps_listener) close(listener);
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
          close(fd);
          _exit(0);
        }
        close(fd);
        while (waitpid(-1, nullptr, WNOHANG) > 0) {
        }
      }
      return 0;
    });
    WatchUntil(listening_);
    int known = 0;
    for (int i = 0; i < 10; ++i) {
      const WatchedEnd* end = watch_->Passive(ConnectTo(*server_port_));
      ExpectNobodyBut(end, server.pid());
      known += end != nullptr && end->best.process ? 1 : 0;
    }
    // A child that has not closed the listening socket yet could accept as well.
    EXPECT_GE(known, traced() && !child_keeps_listener ? 5 : 0) << "nobody was found too often";
  }
}

// It accepts, and passes the session to a helper that never listened.
TEST_P(AcceptTest, PassedOn) {
  StartWatching();
  int channel[2];
  Require(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, channel) == 0, "socketpair");
  Actor helper("helper", [&] {
    for (;;) {
      const int fd = ReceiveDescriptor(channel[1]);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      close(fd);
    }
    return 0;
  });
  Actor server("server", [&] {
    const int listener = Listen(Family::kV4, &*server_port_);
    listening_.Post();
    for (;;) {
      const int fd = Accept(listener);
      SendDescriptor(channel[0], fd);
      close(fd);
    }
    return 0;
  });
  WatchUntil(listening_);
  for (int i = 0; i < 10; ++i) {
    const WatchedEnd* end = watch_->Passive(ConnectTo(*server_port_));
    ExpectNobodyBut(end, server.pid());
    if (traced()) ExpectOwner(end, server.pid(), "server");
  }
  close(channel[0]);
  close(channel[1]);
}

// Two processes with a socket of their own at one port.
TEST_P(AcceptTest, ReusePort) {
  StartWatching();
  const auto serve = [&](bool first) {
    const int listener = NewSocket(Family::kV4);
    const int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    sockaddr_storage address;
    const socklen_t length = LoopbackAddress(Family::kV4, first ? 0 : *server_port_, &address);
    Require(bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0, "bind");
    Require(listen(listener, 16) == 0, "listen");
    *server_port_ = PortOf(listener);
    listening_.Post();
    for (;;) {
      const int fd = Accept(listener);
      *acceptor_ = getpid();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      close(fd);
    }
    return 0;
  };
  Actor first("first", [&] { return serve(true); });
  WatchUntil(listening_);
  Actor second("second", [&] { return serve(false); });
  WatchUntil(listening_);
  for (int i = 0; i < 10; ++i) {
    const WatchedEnd* end = watch_->Passive(ConnectTo(*server_port_));
    ExpectNobodyBut(end, *acceptor_);
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, AcceptTest, ::testing::Bool(),
                         [](const auto& way) { return way.param ? "Trace" : "Search"; });

}  // namespace
}  // namespace sockflow::testing
