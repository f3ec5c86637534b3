// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <climits>
#include <optional>
#include <string_view>

#include "enrich/process/executables.h"
#include "fmt/format.h"

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

}  // namespace

Executables::Executables(std::string proc, size_t capacity)
    : proc_(std::move(proc)), capacity_(capacity) {}

const std::string& Executables::PathOf(const Process& process) {
  const Key key = {process.pid, process.start_time, process.name};
  if (const auto known = by_key_.find(key); known != by_key_.end()) {
    ++stats_.hits;
    entries_.splice(entries_.begin(), entries_, known->second);
    return known->second->second;
  }
  ++stats_.misses;
  if (entries_.size() >= capacity_) {
    by_key_.erase(entries_.back().first);
    entries_.pop_back();
  }
  entries_.emplace_front(key, Read(process));
  by_key_[key] = entries_.begin();
  const std::string& path = entries_.front().second;
  if (path.empty()) ++stats_.unknown;
  return path;
}

std::string Executables::Read(const Process& process) const {
  static const uint64_t kTickNs = 1'000'000'000 / sysconf(_SC_CLK_TCK);
  const std::string folder = fmt::format("{}/{}", proc_, process.pid);
  char path[PATH_MAX];
  const ssize_t length = readlink((folder + "/exe").c_str(), path, sizeof(path));
  if (length <= 0) return {};
  // Checked after the link was read: had the pid passed to another process before, it shows.
  const std::optional<uint64_t> ticks = StartTicks(folder + "/stat");
  if (!ticks || (process.start_time != 0 && *ticks != process.start_time / kTickNs)) return {};
  return std::string(path, length);
}

}  // namespace sockflow
