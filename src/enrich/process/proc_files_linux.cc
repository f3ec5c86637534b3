// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <unistd.h>

#include <climits>
#include <optional>
#include <string_view>

#include "enrich/process/proc_files.h"
#include "sockflow/command_line.h"

namespace sockflow {
namespace {

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
  const ProcessKey key(process);
  if (const Facts* known = facts_.Find(key)) {
    ++stats_.hits;
    return *known;
  }
  ++stats_.misses;
  const Facts& facts = facts_.Put(key, Read(process));
  if (facts.executable.empty()) ++stats_.unknown;
  return facts;
}

ProcFiles::Facts ProcFiles::Read(const Process& process) const {
  const std::string folder = ProcessFolder(options_.proc, process);
  const std::string exe = folder + "/exe";
  // Of a process whose start is not known, the pid may pass to another one while this looks.
  const std::optional<uint64_t> before = StartTicks(folder);
  Facts facts = {.executable = ReadLink(exe), .command_line = {}};
  if (facts.executable.empty()) return {};
  if (options_.command_line_octets > 0) {
    facts.command_line = ReadCommandLine(folder + "/cmdline", options_.command_line_octets);
    // An exec meanwhile, and it may be another program's.
    if (ReadLink(exe) != facts.executable) facts.command_line.clear();
  }
  // Checked after all was read: had the pid passed to another process before, it shows.
  if (!BelongsTo(folder, process) || before != StartTicks(folder)) return {};
  return facts;
}

}  // namespace sockflow
