// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/unit/temporary_directory.h"

namespace sockflow {

// A /proc of a test's own.
class ProcFixture {
 public:
  // What of start_time is one unit of /proc/PID/stat.
  static uint64_t TickNs() { return 1'000'000'000 / sysconf(_SC_CLK_TCK); }

  std::string path() const { return root_.path(); }
  std::string Folder(int pid) const { return root_ / std::to_string(pid); }

  // A process as /proc shows it; again: another with its pid.
  void Add(int pid, uint64_t start_ticks, const std::string& name = "name") {
    std::filesystem::create_directories(Folder(pid));
    std::ofstream(Folder(pid) + "/stat") << pid << " (" << name
                                         << ") S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 " << start_ticks
                                         << " 20 21\n";
  }
  // A file in its folder.
  void Write(const std::string& name, const std::string& text) {
    const std::string path = root_ / name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    root_.Write(name, text);
  }

 private:
  TemporaryDirectory root_;
};

}  // namespace sockflow
