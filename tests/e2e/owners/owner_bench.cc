// SPDX-License-Identifier: MIT

// How many owners of connections that live for 1 ms are found, and what that costs, for each way of
// finding them.
//
//   owner_bench [BYSTANDERS [CONNECTIONS [RUNS [LIFETIME_US]]]]
//
// With a lifetime of 0 connections are made as fast as one process can.

#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "tests/e2e/owners/connection_load.h"
#include "tests/e2e/owners/packet_watch.h"

namespace sockflow::testing {
namespace {

struct Score {
  int made = 0, right = 0, unknown = 0, wrong = 0, unnamed = 0;
};

void Count(const WatchedEnd* end, pid_t pid, const std::string& name, Score& score) {
  ++score.made;
  if (end == nullptr || !end->best.process) {
    ++score.unknown;
  } else if (end->best.process->pid != static_cast<uint32_t>(pid)) {
    if (++score.wrong > 5) return;
    std::printf("# wrong: %u '%s' attribution %d, truth %d '%s'\n", end->best.process->pid,
                std::string(end->best.process->name.view()).c_str(), static_cast<int>(end->best.attribution),
                pid, name.c_str());
  } else {
    ++score.right;
    score.unnamed += end->best.process->name.view() != name;
  }
}

void Run(bool trace, bool fresh, int connections, Duration lifetime) {
  PacketWatch watch({.allow_trace = trace});
  watch.RunUntilQuiet(std::chrono::milliseconds(50));
  const Server server("quick-server");
  // Without the tracepoint a new server shows in the next list of listening sockets, which the first
  // session asks for.
  ConnectionLoad first({.server_port = server.port(), .connections = 1});
  watch.RunWhile([&] { return first.Running(); });
  watch.RunUntilQuiet(std::chrono::milliseconds(2500));
  const ConnectionLoad::Options options = {.server_port = server.port(),
                                           .connections = connections,
                                           .fresh_processes = fresh,
                                           .lifetime = lifetime,
                                           .pause = lifetime};
  ConnectionLoad load(options);
  const Duration before = watch.cpu_time();
  const auto begin = std::chrono::steady_clock::now();
  watch.RunWhile([&] { return load.Running(); });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  watch.RunUntilQuiet(std::chrono::milliseconds(100));
  const double each =
      std::chrono::duration<double, std::micro>(watch.cpu_time() - before).count() / connections;
  Score active, passive;
  const std::vector<Truth> truth = load.truth();
  for (int i = 0; i < connections; ++i) {
    if (truth[i].port == 0) continue;
    Count(watch.Active(truth[i].port, truth[i].begun), truth[i].pid, ConnectionLoad::NameOf(options, i), active);
    Count(watch.Passive(truth[i].port, truth[i].begun), server.pid(), "quick-server", passive);
  }
  double load_average = 0;
  std::ifstream("/proc/loadavg") >> load_average;
  uint64_t lost = 0;
  for (const LossCounter& loss : watch.finder().losses()) lost += loss.count;
  const auto share = [](int part, int all) { return all == 0 ? 0.0 : 100.0 * part / all; };
  for (const auto& [side, score] : {std::pair("active", active), std::pair("passive", passive)}) {
    std::printf("%-8s %-9s %-7s right %6.2f %%  unknown %6.2f %%  wrong %d  misnamed %d  of %d; %.1f us each at %.0f/s, lost %lu, load %.1f\n",
                trace ? "trace" : "search", fresh ? "fresh" : "one", side, share(score.right, score.made),
                share(score.unknown, score.made), score.wrong, score.unnamed, score.made, each, connections / seconds, lost, load_average);
  }
  std::fflush(stdout);
}

}  // namespace
}  // namespace sockflow::testing

int main(int argc, char** argv) {
  using namespace sockflow::testing;
  const int bystanders = argc > 1 ? std::atoi(argv[1]) : 200;
  const int connections = argc > 2 ? std::atoi(argv[2]) : 500;
  const int runs = argc > 3 ? std::atoi(argv[3]) : 3;
  const sockflow::Duration lifetime = std::chrono::microseconds(argc > 4 ? std::atoi(argv[4]) : 1000);
  EnterNewNetworkNamespace();
  const Bystanders others(std::max(bystanders, 2), 10);
  std::printf("# %d bystanders\n", bystanders);
  for (int run = 0; run < runs; ++run) {
    for (const bool trace : {true, false}) {
      for (const bool fresh : {true, false}) Run(trace, fresh, connections, lifetime);
    }
  }
}
