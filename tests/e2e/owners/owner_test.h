// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <new>
#include <optional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/owners/connection_load.h"
#include "tests/e2e/owners/packet_watch.h"
#include "tests/kernel/actors.h"

namespace sockflow::testing {

// A value that processes share.
template <typename T>
class Shared {
 public:
  Shared() {
    void* place = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    Require(place != MAP_FAILED, "mmap");
    value_ = new (place) T{};
  }
  ~Shared() { munmap(value_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T* operator->() const { return value_; }
  T& operator*() const { return *value_; }

 private:
  T* value_;
};

// The local port of a socket.
uint16_t PortOf(int fd);

// SCM_RIGHTS.
void SendDescriptor(int channel, int fd);
int ReceiveDescriptor(int channel);

// Each case runs twice: by the tracepoint, and by searching.
class OwnerTest : public ::testing::Test, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override;
  bool traced() const { return GetParam(); }

  void StartWatching();
  // Watches until this actor is done.
  void WatchUntilDone(Actor& actor);
  // Goes on while a process that is at work is let through.
  void WatchUntil(Gate& gate);

  // Found to be this process; with the search it need not be found.
  void ExpectOwner(const WatchedEnd* end, pid_t pid, const std::string& name);
  // Whatever is told is this process, if anything is.
  void ExpectNobodyBut(const WatchedEnd* end, pid_t pid);

  std::optional<PacketWatch> watch_;
};

}  // namespace sockflow::testing
