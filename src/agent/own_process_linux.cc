// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "agent/own_process.h"
#include "enrich/process/process_folder.h"

namespace sockflow {
namespace {

// Of the files of /proc/self that are read here.
constexpr size_t kLongestFile = 4096;

double Seconds(const timeval& time) { return static_cast<double>(time.tv_sec) + time.tv_usec * 1e-6; }

double Seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + now.tv_nsec * 1e-9;
}

// proc(5): the first two fields of statm, in pages.
std::optional<OwnProcess::Memory> ReadMemory() {
  const std::optional<std::string> text = ReadProcFile("/proc/self/statm", kLongestFile);
  uint64_t total = 0, resident = 0;
  if (!text || std::sscanf(text->c_str(), "%" SCNu64 " %" SCNu64, &total, &resident) != 2) return std::nullopt;
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return OwnProcess::Memory{.resident_octets = resident * page, .virtual_octets = total * page};
}

std::optional<uint64_t> CountDescriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/fd"), closedir);
  if (folder == nullptr) return std::nullopt;
  uint64_t count = 0;
  while (const dirent* entry = readdir(folder.get())) count += entry->d_name[0] != '.';
  return count - std::min<uint64_t>(count, 1);  // the folder's own
}

// proc(5): fields 20 and 22 of stat, whose second, the name, may hold blanks and parentheses.
void ReadStat(OwnProcess& process) {
  const std::optional<std::string> text = ReadProcFile("/proc/self/stat", kLongestFile);
  const size_t name_end = text ? text->rfind(')') : std::string::npos;
  if (name_end == std::string::npos) return;
  std::vector<std::string> fields = absl::StrSplit(text->substr(name_end + 1), ' ', absl::SkipEmpty());
  uint64_t threads = 0, ticks = 0;
  if (fields.size() < 20 || !absl::SimpleAtoi(fields[20 - 3], &threads) ||
      !absl::SimpleAtoi(fields[22 - 3], &ticks)) {
    return;
  }
  process.threads = threads;
  const double since_boot = static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
  // Once: clocks are set, and read one after the other, but the start is one moment.
  static const double start = Seconds(CLOCK_REALTIME) - Seconds(CLOCK_BOOTTIME) + since_boot;
  process.start_time = start;
}

}  // namespace

OwnProcess ReadOwnProcess() {
  OwnProcess process;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  process.user_cpu_seconds = Seconds(usage.ru_utime);
  process.system_cpu_seconds = Seconds(usage.ru_stime);
  process.memory = ReadMemory();
  process.open_descriptors = CountDescriptors();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) process.max_descriptors = limit.rlim_cur;
  ReadStat(process);
  return process;
}

}  // namespace sockflow
