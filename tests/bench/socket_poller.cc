// SPDX-License-Identifier: MIT

// What a program does that names sessions by looking at the sockets of the host again and again:
// every 100 ms /proc/net/tcp, and the descriptors of all processes for the sockets that are new. Until
// SIGTERM; then prints as JSON how many sessions it saw and how many it could name.

#include <dirent.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>

namespace {

volatile std::sig_atomic_t stop = 0;

// Sockets that are not known yet: inode -> addresses.
std::unordered_map<std::string, std::string> NewSockets(std::unordered_set<std::string>& known) {
  std::unordered_map<std::string, std::string> found;
  std::ifstream table("/proc/net/tcp");
  std::string line;
  std::getline(table, line);
  while (std::getline(table, line)) {
    char local[64], remote[64], state[8], inode[32];
    if (std::sscanf(line.c_str(), " %*s %63s %63s %7s %*s %*s %*s %*s %*s %31s", local, remote, state,
                    inode) != 4) {
      continue;
    }
    if (std::string_view(state) == "0A") continue;  // listens
    const std::string ends = std::string(local) + " " + remote;
    if (known.insert(ends).second) found.emplace(inode, ends);
  }
  return found;
}

// How many of them some process holds.
long CountNamed(const std::unordered_map<std::string, std::string>& sockets) {
  long named = 0;
  DIR* const processes = opendir("/proc");
  while (const dirent* process = readdir(processes)) {
    if (process->d_name[0] < '0' || process->d_name[0] > '9') continue;
    const std::string folder = std::string("/proc/") + process->d_name + "/fd";
    DIR* const descriptors = opendir(folder.c_str());
    if (descriptors == nullptr) continue;
    while (const dirent* descriptor = readdir(descriptors)) {
      char target[64];
      const ssize_t length =
          readlink((folder + "/" + descriptor->d_name).c_str(), target, sizeof target);
      std::string text(target, length < 0 ? 0 : static_cast<size_t>(length));
      if (!text.starts_with("socket:[")) continue;
      if (sockets.contains(text.substr(8, text.size() - 9))) ++named;
    }
    closedir(descriptors);
  }
  closedir(processes);
  return named;
}

}  // namespace

int main() {
  std::signal(SIGTERM, [](int) { stop = 1; });
  std::unordered_set<std::string> known;
  NewSockets(known);
  std::printf("polling\n");
  std::fflush(stdout);
  long seen = 0, named = 0;
  while (stop == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const auto sockets = NewSockets(known);
    seen += static_cast<long>(sockets.size());
    if (!sockets.empty()) named += CountNamed(sockets);
  }
  std::printf("{\"seen\": %ld, \"named\": %ld}\n", seen, named);
}
