// SPDX-License-Identifier: MIT
#include "source/ebpf/process_details.h"

#include <string>
#include <string_view>

#include "sockflow/command_line.h"

namespace sockflow {
namespace {

static_assert(kLongestCommandLine <= SOCKFLOW_COMMAND_LINE_OCTETS, "room in the kernel half");

// Of names that each end with a NUL, the last component first: "ls\0bin\0usr\0" is "/usr/bin/ls", and
// none are the root.
std::string PathOf(std::string_view names, bool cut) {
  if (names.empty() && !cut) return std::string(1, '/');
  std::string path(cut ? kCutMark : "");
  path.reserve(path.size() + names.size());
  while (!names.empty()) {
    names.remove_suffix(1);  // its NUL
    const size_t before = names.rfind('\0');
    const size_t start = before == names.npos ? 0 : before + 1;
    path.append("/").append(names.substr(start));
    names.remove_suffix(names.size() - start);
  }
  return path;
}

bool IsSound(const process_description& d) {
  const auto ends = [](const char* text, size_t octets) {
    return octets == 0 || text[octets - 1] == '\0';
  };
  return d.mark == PROCESS_DESCRIPTION_MARK && d.executable_octets <= sizeof(d.executable) &&
         d.cgroup_octets <= sizeof(d.cgroup) && d.command_line_octets <= sizeof(d.command_line) &&
         ends(d.executable, d.executable_octets) && ends(d.cgroup, d.cgroup_octets);
}

ProcessDetail DetailOf(const process_description& d) {
  ProcessDetail detail;
  if (d.executable_octets > 0) {
    detail.executable = PathOf({d.executable, d.executable_octets},
                               (d.flags & PROCESS_EXECUTABLE_CUT) != 0);
    // As /proc/PID/exe has it (proc(5)).
    if ((d.flags & PROCESS_EXECUTABLE_DELETED) != 0) detail.executable += " (deleted)";
  }
  detail.cgroup_path = PathOf({d.cgroup, d.cgroup_octets}, (d.flags & PROCESS_CGROUP_CUT) != 0);
  detail.command_line = CommandLineText({d.command_line, d.command_line_octets},
                                        (d.flags & PROCESS_COMMAND_LINE_CUT) != 0);
  return detail;
}

}  // namespace

bool ProcessDetails::Add(const void* record, size_t octets) {
  if (octets != sizeof(process_description)) return false;
  const auto& description = *static_cast<const process_description*>(record);
  if (!IsSound(description)) return false;
  const Key key = {description.key.start_time_ns, description.key.exec_id,
                   description.key.cgroup_id, description.key.tgid};
  // It may be told anew: by two threads at once, or because the kernel half had forgotten it.
  details_.Put(key, std::make_shared<const ProcessDetail>(DetailOf(description)));
  return true;
}

std::shared_ptr<const ProcessDetail> ProcessDetails::Find(const tcp_event_owner& owner) {
  const auto* known =
      details_.Find({owner.start_time_ns, owner.exec_id, owner.cgroup_id, owner.tgid});
  return known == nullptr ? nullptr : *known;
}

}  // namespace sockflow
