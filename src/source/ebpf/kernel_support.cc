// SPDX-License-Identifier: MIT
#include "source/ebpf/kernel_support.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "fmt/format.h"

namespace sockflow {
namespace {

constexpr char kVmlinuxBtf[] = "/sys/kernel/btf/vmlinux";
constexpr char kKprobeEvents[] = "/sys/bus/event_source/devices/kprobe/type";
constexpr char kLockdown[] = "/sys/kernel/security/lockdown";

bool HasCapability(int capability) {
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return true;  // let the kernel decide
  return (data[capability / 32].effective >> (capability % 32) & 1) != 0;
}

bool IsLockedDownForConfidentiality() {
  std::ifstream file(kLockdown);
  std::string modes;
  return std::getline(file, modes) && modes.find("[confidentiality]") != std::string::npos;
}

}  // namespace

absl::Status CheckEbpfPossible() {
  // CAP_BPF and CAP_PERFMON came with 5.8; CAP_SYS_ADMIN includes both.
  if (!HasCapability(CAP_SYS_ADMIN)) {
    std::string missing;
    if (!HasCapability(CAP_BPF)) missing = "CAP_BPF";
    if (!HasCapability(CAP_PERFMON)) missing += missing.empty() ? "CAP_PERFMON" : " and CAP_PERFMON";
    if (!missing.empty()) {
      return absl::PermissionDeniedError(
          fmt::format("missing {}: run as root or grant them (systemd: "
                      "AmbientCapabilities=CAP_BPF CAP_PERFMON)",
                      missing));
    }
  }
  if (access(kVmlinuxBtf, R_OK) != 0) {
    return absl::FailedPreconditionError(
        fmt::format("{} is not readable ({}): the kernel needs CONFIG_DEBUG_INFO_BTF, and /sys must "
                    "be mounted",
                    kVmlinuxBtf, strerror(errno)));
  }
  return absl::OkStatus();
}

absl::Status CheckTierPossible(Tier tier) {
  if (tier != Tier::kKprobe) return absl::OkStatus();
  if (access(kKprobeEvents, F_OK) != 0) {
    return absl::FailedPreconditionError("this kernel was built without kprobes (CONFIG_KPROBE_EVENTS)");
  }
  if (IsLockedDownForConfidentiality()) {
    return absl::FailedPreconditionError(
        "the kernel is locked down (confidentiality), which forbids kprobes: boot with "
        "lockdown=integrity or less");
  }
  return absl::OkStatus();
}

std::string ExplainRefusal(Tier tier, int error) {
  const std::string said = fmt::format("the kernel said: {}", strerror(error));
  switch (error) {
    case EPERM:
    case EACCES:
      if (tier == Tier::kKprobe && !HasCapability(CAP_SYS_ADMIN)) {
        return said + "; kprobes without CAP_SYS_ADMIN need kernel.perf_event_paranoid <= 2";
      }
      if (!HasCapability(CAP_SYS_RESOURCE) && !HasCapability(CAP_SYS_ADMIN)) {
        return said + "; before 5.11 this also means a locked-memory limit that is too low (systemd: "
                      "LimitMEMLOCK=infinity)";
      }
      return said + "; this host does not allow such programs";
    case 524:  // ENOTSUPP, internal to the kernel: arm64 before 6.0 has no BPF trampolines
      return "the kernel cannot attach BPF trampolines on this architecture (arm64: since 6.0)";
    case EINVAL: return said + "; it is too old for this tier";
    case ENOENT: return said + "; a function that the tier hooks is not there";
    default: return said;
  }
}

}  // namespace sockflow
