// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include <charconv>
#include <string_view>
#include <utility>

#include "fmt/format.h"
#include "source/pcap/owners/file_descriptor_linux.h"
#include "source/pcap/owners/process_facts.h"

namespace sockflow::pcap {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(10);
constexpr size_t kMostCgroups = 1024;

// What fits into the buffer of the file's beginning; empty: it cannot be read (any more).
std::string_view ReadFile(int folder, const char* name, std::span<char> buffer) {
  const FileDescriptor file(openat(folder, name, O_RDONLY | O_CLOEXEC));
  if (!file) return {};
  const ssize_t length = read(file.get(), buffer.data(), buffer.size());
  return length <= 0 ? std::string_view() : std::string_view(buffer.data(), length);
}

template <typename T>
bool ReadNumber(std::string_view text, T& number) {
  return std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc();
}

// proc(5): "PID (NAME) STATE PPID ... STARTTIME ...", where NAME may hold anything, also ")" and spaces.
bool ReadStat(std::string_view text, uint64_t tick_ns, Process& process) {
  const size_t name = text.find('(');
  const size_t name_end = text.rfind(')');
  if (name == std::string_view::npos || name_end == std::string_view::npos) return false;
  process.name = text.substr(name + 1, name_end - name - 1);
  text.remove_prefix(name_end + 1);
  uint64_t ticks;
  for (int field = 3; field <= 22; ++field) {
    const size_t space = text.find(' ');
    if (space == std::string_view::npos) return false;
    text.remove_prefix(space + 1);
    if (field == 4 && !ReadNumber(text, process.parent_pid)) return false;
  }
  if (!ReadNumber(text, ticks)) return false;
  process.start_time = ticks * tick_ns;
  return true;
}

// "Uid:\tREAL\tEFFECTIVE\t..." of /proc/PID/status.
uint32_t ReadRealUid(std::string_view text) {
  constexpr std::string_view kKey = "\nUid:\t";
  const size_t at = text.find(kKey);
  uint32_t uid;
  if (at == std::string_view::npos || !ReadNumber(text.substr(at + kKey.size()), uid)) {
    return kNoUid;
  }
  return uid;
}

uint64_t InodeOf(int folder, const char* path) {
  struct stat status;
  return fstatat(folder, path, &status, 0) == 0 ? status.st_ino : 0;
}

int64_t ReadNs(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

// Start times count what the host slept, as CLOCK_BOOTTIME.
Time StartOf(const Process& process) {
  return Time(Duration(ReadNs(CLOCK_REALTIME) - ReadNs(CLOCK_BOOTTIME) +
                       static_cast<int64_t>(process.start_time)));
}

}  // namespace

bool SurelyBeganBefore(const Process& process, Time at) {
  return process.start_time != 0 && StartOf(process) + 2 * kTick < at;
}

bool SurelyBeganAfter(const Process& process, Time at) {
  return process.start_time == 0 || StartOf(process) > at;
}

ProcessReader::ProcessReader(std::string proc)
    : proc_(std::move(proc)),
      tick_ns_(1'000'000'000 / sysconf(_SC_CLK_TCK)),
      our_network_(InodeOf(AT_FDCWD, (proc_ + "/self/ns/net").c_str())) {}

std::optional<ProcessFacts> ProcessReader::Read(uint32_t pid) {
  // This descriptor stays with the process: once it is gone nothing can be read through it.
  const FileDescriptor folder(
      open(fmt::format("{}/{}", proc_, pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return std::nullopt;
  ProcessFacts facts;
  char buffer[4096];
  if (!ReadStat(ReadFile(folder.get(), "stat", buffer), tick_ns_, facts.process)) return std::nullopt;
  facts.process.pid = pid;
  facts.process.thread_id = pid;
  facts.started = StartOf(facts.process);
  facts.process.thread_name = facts.process.name;
  facts.process.uid = ReadRealUid(ReadFile(folder.get(), "status", buffer));
  facts.network = NetworkOf(folder.get());
  facts.process.cgroup_id = CgroupId(folder.get());
  return facts;
}

std::optional<Process> ProcessReader::ReadBasics(uint32_t pid) const {
  Process process = {.pid = pid, .thread_id = pid};
  char buffer[1024];
  const std::string path = fmt::format("{}/{}/stat", proc_, pid);
  if (!ReadStat(ReadFile(AT_FDCWD, path.c_str(), buffer), tick_ns_, process)) return std::nullopt;
  return process;
}

std::optional<TaskName> ProcessReader::ReadThreadName(uint32_t pid, uint32_t thread_id) const {
  char buffer[64];
  std::string_view name =
      ReadFile(AT_FDCWD, fmt::format("{}/{}/task/{}/comm", proc_, pid, thread_id).c_str(), buffer);
  if (!name.ends_with('\n')) return std::nullopt;
  name.remove_suffix(1);
  return TaskName(name);
}

Network ProcessReader::NetworkOf(int folder) const {
  const uint64_t inode = InodeOf(folder, "ns/net");  // 0: not permitted, or a process that ends
  if (inode == 0 || our_network_ == 0) return Network::kUnproven;
  return inode == our_network_ ? Network::kOurs : Network::kOther;
}

// A cgroup v2's id is the inode number of its folder. The line of the v2 hierarchy is "0::PATH".
uint64_t ProcessReader::CgroupId(int folder) {
  char buffer[4096];
  std::string_view text = ReadFile(folder, "cgroup", buffer);
  size_t at = 0;
  if (!text.starts_with("0::")) {
    at = text.find("\n0::");
    if (at == std::string_view::npos) return 0;
    ++at;
  }
  text.remove_prefix(at + 3);
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return 0;
  const std::string path(text.substr(0, end));
  if (const auto known = cgroups_.find(path); known != cgroups_.end()) return known->second;
  if (cgroups_.size() >= kMostCgroups) cgroups_.clear();
  uint64_t id = 0;
  for (const char* root : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
    // Only cgroup v2 has this file in every folder but its root's.
    if (InodeOf(AT_FDCWD, fmt::format("{}/cgroup.controllers", root).c_str()) == 0) continue;
    id = InodeOf(AT_FDCWD, fmt::format("{}{}", root, path).c_str());
    break;
  }
  if (id != 0) cgroups_.emplace(path, id);
  return id;
}

}  // namespace sockflow::pcap
