// SPDX-License-Identifier: MIT
// Input: a cgroup path, or the text of a /proc/PID/cgroup. Whatever is found in it must be an id and a UID
// that are safe to hand on, and stand in the input.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "enrich/container/cgroup_path.h"
#include "tests/fuzz/fuzz_target.h"

namespace sockflow {
namespace {

bool Printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f && c != '/'; });
}

void CheckFacts(const std::optional<ContainerFacts>& facts, std::string_view input) {
  if (!facts) return;
  Require(!facts->id.empty() && facts->id.size() <= 255 && Printable(facts->id));
  Require(input.find(facts->id) != std::string_view::npos || input.find("\\x") != std::string_view::npos);
  Require(facts->runtime.size() < 16);
  Require(facts->pod_uid.empty() || facts->pod_uid.size() == 36 || facts->pod_uid.size() == 32);
  Require(Printable(facts->pod_uid));
}

void CheckPath(std::string_view input) {
  // Of exactly this size, so that the address sanitizer sees what is read behind it.
  const std::vector<char> exact(input.begin(), input.end());
  const std::string_view path(exact.data(), exact.size());
  const std::optional<ContainerFacts> facts = ContainerOfCgroup(path);
  CheckFacts(facts, path);
  CheckFacts(ContainerOfCgroups(path), path);
  if (path.find('\n') == std::string_view::npos) {
    const std::optional<ContainerFacts> in_proc = ContainerOfCgroups("0::" + std::string(path) + "\n");
    Require(in_proc.has_value() == facts.has_value());
    if (facts) Require(in_proc->id == facts->id && in_proc->pod_uid == facts->pod_uid);
  }
}

}  // namespace
}  // namespace sockflow

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sockflow::CheckPath({reinterpret_cast<const char*>(data), size});
  return 0;
}
