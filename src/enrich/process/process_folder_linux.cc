// SPDX-License-Identifier: MIT
#include "enrich/process/process_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "fmt/format.h"

namespace sockflow {

// Field 22 of /proc/PID/stat: start time in clock ticks since boot (proc(5)). The name in field 2 may
// hold anything, also ")" and spaces: what follows its last ")" is counted.
std::optional<uint64_t> StartTicks(const std::string& folder) {
  const std::optional<std::string> text = ReadProcFile(folder + "/stat", 1024);
  if (!text) return std::nullopt;
  std::string_view rest = *text;
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

std::string ProcessFolder(const std::string& proc, const Process& process) {
  return fmt::format("{}/{}", proc, process.pid);
}

bool BelongsTo(const std::string& folder, const Process& process) {
  static const uint64_t kTickNs = 1'000'000'000 / sysconf(_SC_CLK_TCK);
  const std::optional<uint64_t> ticks = StartTicks(folder);
  return ticks && (process.start_time == 0 || *ticks == process.start_time / kTickNs);
}

std::optional<std::string> ReadProcFile(const std::string& path, size_t limit) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  // Files of more than a page come in pieces. Most are far shorter than the limit.
  constexpr size_t kPiece = 4096;
  std::string text;
  size_t filled = 0;
  ssize_t length = 1;
  while (length > 0 && filled < limit) {
    if (filled == text.size()) text.resize(std::min(limit, filled + std::max(filled, kPiece)));
    length = read(fd, text.data() + filled, text.size() - filled);
    if (length > 0) filled += static_cast<size_t>(length);
  }
  close(fd);
  if (filled == 0 || length < 0) return std::nullopt;
  text.resize(filled);
  return text;
}

}  // namespace sockflow
