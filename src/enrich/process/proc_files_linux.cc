// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <climits>
#include <optional>
#include <string_view>

#include "enrich/process/proc_files.h"
#include "fmt/format.h"
#include "sockflow/command_line.h"

namespace sockflow {
namespace {

// Field 22 of /proc/PID/stat: start time in clock ticks since boot (proc(5)). The name in field 2 may
// hold anything, also ")" and spaces: what follows its last ")" is counted.
std::optional<uint64_t> StartTicks(const std::string& stat_file) {
  const int fd = open(stat_file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  char buffer[1024];
  const ssize_t length = read(fd, buffer, sizeof(buffer));
  close(fd);
  if (length <= 0) return std::nullopt;
  std::string_view rest(buffer, length);
  const size_t name_end = rest.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  rest.remove_prefix(name_end + 1);
  constexpr int kFieldsBetween = 20;  // fields 3 to 21, each after a space, and the space before 22
  for (int i = 0; i < kFieldsBetween; ++i) {
    const size_t space = rest.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(space + 1);
  }
  uint64_t ticks;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), ticks);
  if (error != std::errc()) return std::nullopt;
  return ticks;
}

// Empty if there is none.
std::string ReadLink(const std::string& file) {
  char path[PATH_MAX];
  const ssize_t length = readlink(file.c_str(), path, sizeof(path));
  return length <= 0 ? std::string() : std::string(path, length);
}

// The kernel copies only what is read, however long the command line is, and only pages of memory, so that no
// file system is waited for (7f7ccc2ccc2e).
std::string ReadCommandLine(const std::string& file, size_t octets) {
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::string arguments(octets + 1, '\0');  // one more shows that it goes on
  const ssize_t length = read(fd, arguments.data(), arguments.size());
  close(fd);
  if (length <= 0) return {};
  const bool cut = static_cast<size_t>(length) > octets;
  arguments.resize(cut ? octets : length);
  return CommandLineText(arguments, cut);
}

}  // namespace

const ProcFiles::Facts& ProcFiles::Of(const Process& process) {
  const Key key = {process.pid, process.start_time, process.name};
  if (const auto known = by_key_.find(key); known != by_key_.end()) {
    ++stats_.hits;
    entries_.splice(entries_.begin(), entries_, known->second);
    return known->second->second;
  }
  ++stats_.misses;
  if (entries_.size() >= options_.capacity) {
    by_key_.erase(entries_.back().first);
    entries_.pop_back();
  }
  entries_.emplace_front(key, Read(process));
  by_key_[key] = entries_.begin();
  const Facts& facts = entries_.front().second;
  if (facts.executable.empty()) ++stats_.unknown;
  return facts;
}

ProcFiles::Facts ProcFiles::Read(const Process& process) const {
  static const uint64_t kTickNs = 1'000'000'000 / sysconf(_SC_CLK_TCK);
  const std::string folder = fmt::format("{}/{}", options_.proc, process.pid);
  const std::string stat = folder + "/stat", exe = folder + "/exe";
  // Of a process whose start is not known, the pid may pass to another one while this looks.
  const std::optional<uint64_t> before = process.start_time != 0
                                             ? std::optional(process.start_time / kTickNs)
                                             : StartTicks(stat);
  Facts facts = {.executable = ReadLink(exe), .command_line = {}};
  if (facts.executable.empty()) return {};
  if (options_.command_line_octets > 0) {
    facts.command_line = ReadCommandLine(folder + "/cmdline", options_.command_line_octets);
    // An exec meanwhile, and it may be another program's.
    if (ReadLink(exe) != facts.executable) facts.command_line.clear();
  }
  // Checked after all was read: had the pid passed to another process before, it shows.
  const std::optional<uint64_t> after = StartTicks(stat);
  if (!after || before != after) return {};
  return facts;
}

}  // namespace sockflow
