// SPDX-License-Identifier: MIT
#pragma once

// What the load programs share: a network of their own, processes that begin together, and the CPU
// time that these take.

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <vector>

namespace sockflow::bench {

[[noreturn]] inline void Die(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  std::_Exit(1);
}

inline void Check(bool ok, const char* what) {
  if (!ok) Die(what);
}

inline double Seconds(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// The value of "--name value" among the arguments.
inline long Argument(int argc, char** argv, std::string_view name, long otherwise) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (argv[i] == name) return std::atol(argv[i + 1]);
  }
  return otherwise;
}

// A network namespace with nothing but loopback: every run begins without TIME_WAIT sockets, takes
// no port of the host's, and what it leaves goes with it. --own-network 0: it is in one already.
inline void EnterOwnNetwork(int argc, char** argv) {
  if (Argument(argc, argv, "--own-network", 1) == 0) return;
  Check(unshare(CLONE_NEWNET) == 0, "cannot make a network namespace (needs root)");
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  Check(fd >= 0, "socket");
  ifreq request = {};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  Check(ioctl(fd, SIOCSIFFLAGS, &request) == 0, "cannot bring up lo");
  close(fd);
}

// Processes that start work at the same moment. Their CPU time is that of their work alone, exact
// to the nanosecond (the scheduler's own sum: no sampling by ticks), and includes what the kernel
// does for them in softirq on their CPU, as loopback delivery is.
class Crew {
 public:
  Crew() {
    void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                        -1, 0);
    Check(memory != MAP_FAILED, "mmap");
    shared_ = new (memory) Shared;
  }

  // `work` runs in a child on the given CPU; it is not to return before its part is done.
  template <typename Work>
  void Add(int cpu, Work work) {
    const pid_t child = fork();
    Check(child >= 0, "fork");
    if (child != 0) {
      children_.push_back(child);
      return;
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu % sysconf(_SC_NPROCESSORS_ONLN), &set);
    sched_setaffinity(0, sizeof(set), &set);
    shared_->ready.fetch_add(1);
    while (!shared_->go.load()) usleep(200);
    const double before = Seconds(CLOCK_PROCESS_CPUTIME_ID);
    work();
    const double spent = Seconds(CLOCK_PROCESS_CPUTIME_ID) - before;
    shared_->cpu_ns.fetch_add(static_cast<long>(spent * 1e9));
    std::_Exit(0);
  }

  // Lets all of them work; prints what it took.
  void Run(const char* unit, long count) {
    while (shared_->ready.load() < static_cast<int>(children_.size())) usleep(200);
    const double begin = Seconds(CLOCK_MONOTONIC);
    shared_->go.store(true);
    for (const pid_t child : children_) {
      int status;
      waitpid(child, &status, 0);
      if (status != 0) {
        std::fprintf(stderr, "a process of the load failed\n");
        std::_Exit(1);
      }
    }
    std::printf("{\"%s\": %ld, \"seconds\": %.6f, \"cpu_seconds\": %.9f}\n", unit, count,
                Seconds(CLOCK_MONOTONIC) - begin,
                static_cast<double>(shared_->cpu_ns.load()) / 1e9);
  }

 private:
  struct Shared {
    std::atomic<int> ready{0};
    std::atomic<bool> go{false};
    std::atomic<long> cpu_ns{0};
  };
  Shared* shared_;
  std::vector<pid_t> children_;
};

}  // namespace sockflow::bench
