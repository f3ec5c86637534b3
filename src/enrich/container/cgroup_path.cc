// SPDX-License-Identifier: MIT
#include "enrich/container/cgroup_path.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace sockflow {
namespace {

constexpr size_t kLongestPath = 4096;  // PATH_MAX
constexpr size_t kLongestName = 255;   // NAME_MAX

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool AllHex(std::string_view text) { return std::all_of(text.begin(), text.end(), IsHex); }
bool AllDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsDigit);
}

// What nearly all runtimes call a container: 256 bits, often those of a hash.
bool IsLongId(std::string_view text) { return text.size() == 64 && AllHex(text); }

// A name that an administrator chose. runc allows no other characters (libcontainer, validateID).
bool IsName(std::string_view text) {
  const auto allowed = [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '-' || c == '_' || c == '.' || c == '+';
  };
  return !text.empty() && text.size() <= kLongestName && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), allowed);
}

// Groups of hexadecimal digits with dashes between, such as 8-4-4-4-12.
template <size_t n>
bool BeginsWithGroups(std::string_view text, const std::array<size_t, n>& groups) {
  for (size_t i = 0; i < n; ++i) {
    if (text.size() < groups[i] || !AllHex(text.substr(0, groups[i]))) return false;
    text.remove_prefix(groups[i]);
    if (i + 1 == n) break;
    if (!text.starts_with('-')) return false;
    text.remove_prefix(1);
  }
  return true;
}

bool IsUuid(std::string_view text) {
  return text.size() == 36 && BeginsWithGroups(text, std::array<size_t, 5>{8, 4, 4, 4, 12});
}

bool RemovePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool RemoveSuffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

// What systemd's unit names hide: "\x2d" is "-" (systemd.unit(5)).
std::string Unescape(std::string_view text) {
  const auto value = [](char c) { return IsDigit(c) ? c - '0' : c - 'a' + 10; };
  std::string plain;
  while (!text.empty()) {
    if (text.size() >= 4 && text.starts_with("\\x") && AllHex(text.substr(2, 2))) {
      plain.push_back(static_cast<char>(value(text[2]) * 16 + value(text[3])));
      text.remove_prefix(4);
    } else {
      plain.push_back(text.front());
      text.remove_prefix(1);
    }
  }
  return plain;
}

// A cgroup among those around and in it; "" beyond the ends.
class Place {
 public:
  Place(const std::vector<std::string_view>& names, size_t index) : names_(names), index_(index) {}

  std::string_view name() const { return names_[index_]; }
  std::string_view parent() const { return Above(1); }
  std::string_view grandparent() const { return Above(2); }
  std::string_view child() const {
    return index_ + 1 < names_.size() ? names_[index_ + 1] : std::string_view();
  }
  bool IsWithin(std::string_view other) const {
    return std::find(names_.begin(), names_.begin() + static_cast<std::ptrdiff_t>(index_), other) !=
           names_.begin() + static_cast<std::ptrdiff_t>(index_);
  }

 private:
  std::string_view Above(size_t levels) const {
    return index_ >= levels ? names_[index_ - levels] : std::string_view();
  }

  const std::vector<std::string_view>& names_;
  size_t index_;
};

struct Named {
  std::string_view name;
  std::string_view runtime;
};

std::string_view Find(const auto& table, std::string_view name) {
  const auto found = std::find_if(table.begin(), table.end(),
                                  [name](const Named& entry) { return entry.name == name; });
  return found == table.end() ? std::string_view() : found->runtime;
}

std::optional<ContainerFacts> Facts(std::string_view id, std::string_view runtime) {
  return ContainerFacts{.id = std::string(id), .runtime = std::string(runtime)};
}

// What stands before the id: "cri-containerd" of cri-containerd-ID.scope.
constexpr auto kPrefixes = std::to_array<Named>({
    {"docker", "docker"},
    {"cri-containerd", "containerd"},
    {"nerdctl", "containerd"},
    {"crio", "cri-o"},
    {"libpod", "podman"},
    {"libpod-payload", "podman"},  // --cgroups=split, as Quadlet does
    {"runc", "runc"},
    {"crun", "crun"},
    {"buildkit", "buildkit"},
});

// The cgroup in which those of a runtime lie, named after the id alone (cgroupfs drivers).
constexpr auto kParents = std::to_array<Named>({
    {"docker", "docker"},
    {"moby", "docker"},
    {"k8s.io", "containerd"},   // namespaces of containerd, see its docs/namespaces.md
    {"default", "containerd"},
    {"libpod_parent", "podman"},
});

bool IsBuildkitId(std::string_view text) {  // identity.NewID() of BuildKit: base 36
  return text.size() == 25 && std::all_of(text.begin(), text.end(), [](char c) {
           return IsDigit(c) || (c >= 'a' && c <= 'z');
         });
}

// PREFIX and ID of PREFIX-ID.scope, PREFIX-ID, or SLICE:PREFIX:ID, which is what runc makes of a systemd
// path without systemd (its docs/systemd.md). `free_names`: the form is nobody else's.
std::optional<ContainerFacts> OfPrefixed(std::string_view prefix, std::string_view id, bool free_names) {
  const std::string_view runtime = Find(kPrefixes, prefix);
  if (IsLongId(id)) {
    // conmon watches a container of podman or CRI-O from outside: crio-conmon-ID.scope.
    if (runtime.empty() && prefix.ends_with("conmon")) return std::nullopt;
    return Facts(id, runtime);
  }
  if (runtime == "buildkit" && IsBuildkitId(id)) return Facts(id, runtime);
  if (free_names && (runtime == "runc" || runtime == "crun") && IsName(id)) return Facts(id, runtime);
  return std::nullopt;
}

// machine-NAME.scope and systemd-nspawn@NAME.service of systemd-nspawn, machine-lxc\x2dNUMBER\x2dNAME.scope
// of libvirt. Virtual machines are machines, too, but not containers.
std::optional<ContainerFacts> OfMachine(const Place& place) {
  std::string_view name = place.name();
  if (RemovePrefix(name, "machine-") && RemoveSuffix(name, ".scope")) {
    // Where systemd-nspawn itself is.
    if (place.child() == "supervisor") return std::nullopt;
  } else if (name = place.name(); RemovePrefix(name, "systemd-nspawn@") && RemoveSuffix(name, ".service")) {
    if (place.child() != "payload") return std::nullopt;
  } else {
    return std::nullopt;
  }
  const std::string plain = Unescape(name);
  if (!IsName(plain)) return std::nullopt;
  // DRIVER-NUMBER-NAME: libvirt's (virDomainGenerateMachineName).
  std::string_view rest = plain;
  const std::string_view driver = rest.substr(0, rest.find('-'));
  rest.remove_prefix(std::min(rest.size(), driver.size() + 1));
  const std::string_view number = rest.substr(0, rest.find('-'));
  rest.remove_prefix(std::min(rest.size(), number.size() + 1));
  if (AllDigits(number) && !rest.empty()) {
    if (driver == "lxc") return Facts(rest, "libvirt-lxc");
    for (const std::string_view other : {"qemu", "xen", "ch", "bhyve"}) {
      if (driver == other) return std::nullopt;
    }
  }
  return Facts(plain, "systemd-nspawn");
}

// /lxc/NAME, /lxc.payload/NAME, /lxc.payload.NAME: LXC, LXD and Incus through the ages. Their monitors are in
// lxc.monitor.
std::optional<ContainerFacts> OfLxc(const Place& place) {
  std::string_view name = place.name();
  const bool is_payload = place.parent() == "lxc" || place.parent() == "lxc.payload" ||
                          RemovePrefix(name, "lxc.payload.");
  if (is_payload && IsName(name)) return Facts(name, "lxc");
  if (RemoveSuffix(name, ".libvirt-lxc") && IsName(name)) return Facts(name, "libvirt-lxc");
  return std::nullopt;
}

// Those whose ids have a form of their own.
std::optional<ContainerFacts> OfScheduler(const Place& place) {
  const std::string_view name = place.name(), parent = place.parent();
  if (parent == "mesos" && IsUuid(name)) return Facts(name, "mesos");
  if (parent == "buildkit" && IsBuildkitId(name)) return Facts(name, "buildkit");
  // Cloud Foundry: 8-4-4-4-4, with a suffix for side processes such as health checks.
  const bool in_garden =
      parent == "garden" || ((parent == "good" || parent == "bad") && place.grandparent() == "garden");
  if (in_garden && IsName(name) && BeginsWithGroups(name, std::array<size_t, 5>{8, 4, 4, 4, 4})) {
    return Facts(name, "garden");
  }
  // Fargate: /ecs/TASK/TASK-NUMBER.
  if (name.size() > 33 && name.size() <= 64 && name[32] == '-' && AllHex(name.substr(0, 32)) &&
      AllDigits(name.substr(33)) && place.IsWithin("ecs")) {
    return Facts(name, "");
  }
  return std::nullopt;
}

std::string_view RuntimeOfParent(const Place& place) {
  if (const std::string_view runtime = Find(kParents, place.parent()); !runtime.empty()) return runtime;
  std::string_view parent = place.parent();
  // podman of a user without a systemd session: podman-PID.scope/ID.
  if (RemovePrefix(parent, "podman-") && RemoveSuffix(parent, ".scope") && AllDigits(parent)) return "podman";
  // Its agent starts containers with Docker: /ecs/TASK/ID, /ecs/CLUSTER/TASK/ID.
  if (place.IsWithin("ecs")) return "docker";
  return "";
}

// The container that this very cgroup is.
std::optional<ContainerFacts> OfPlace(const Place& place) {
  if (auto machine = OfMachine(place)) return machine;
  for (const std::string_view unit : {".service", ".slice", ".mount", ".socket", ".swap"}) {
    if (place.name().ends_with(unit)) return std::nullopt;
  }
  if (auto lxc = OfLxc(place)) return lxc;
  if (auto scheduled = OfScheduler(place)) return scheduled;
  std::string_view name = place.name();
  if (IsLongId(name)) {
    // Kata's processes outside of the virtual machine.
    if (place.parent() == "kata_overhead") return std::nullopt;
    return Facts(name, RuntimeOfParent(place));
  }
  const bool is_scope = RemoveSuffix(name, ".scope");
  if (const size_t last = name.rfind(':'); last != std::string_view::npos && last > 0) {
    const size_t first = name.rfind(':', last - 1);
    if (first == std::string_view::npos) return std::nullopt;
    return OfPrefixed(name.substr(first + 1, last - first - 1), name.substr(last + 1), true);
  }
  // Ids have no dashes, but names have.
  if (const size_t last = name.rfind('-'); last != std::string_view::npos) {
    if (auto facts = OfPrefixed(name.substr(0, last), name.substr(last + 1), false)) return facts;
  }
  const size_t first = name.find('-');
  if (!is_scope || first == std::string_view::npos) return std::nullopt;
  return OfPrefixed(name.substr(0, first), name.substr(first + 1), true);
}

// podUID of the kubelet's cgroupfs driver, ...kubepods-CLASS-podUID.slice of its systemd driver, where
// underscores are the dashes of the UID. That of a static pod is a hash: 32 digits.
std::string PodUid(std::string_view name) {
  if (const size_t slice = name.find(".slice"); slice != std::string_view::npos) {
    name = name.substr(0, slice);
    const size_t pod = name.rfind("-pod");
    if (pod == std::string_view::npos) return {};
    std::string_view above = name.substr(0, pod);
    for (const std::string_view service_class : {"-burstable", "-besteffort", "-guaranteed"}) {
      if (RemoveSuffix(above, service_class)) break;
    }
    if (!above.ends_with("kubepods")) return {};
    name.remove_prefix(pod + 1);
  }
  if (!RemovePrefix(name, "pod")) return {};
  std::string uid(name);
  std::replace(uid.begin(), uid.end(), '_', '-');
  return IsUuid(uid) || (uid.size() == 32 && AllHex(uid)) ? uid : std::string();
}

struct Found {
  std::optional<ContainerFacts> innermost;
  size_t containers = 0;  // around the process, one in another
};

Found Search(std::string_view path) {
  Found found;
  // What /proc says of a cgroup that has been removed.
  RemoveSuffix(path, " (deleted)");
  if (path.size() > kLongestPath) return found;
  std::vector<std::string_view> names;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    if (slash != 0) names.push_back(path.substr(0, slash));
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  std::string pod_uid;
  for (size_t i = 0; i < names.size(); ++i) {
    if (std::string uid = PodUid(names[i]); !uid.empty()) pod_uid = std::move(uid);
    if (auto facts = OfPlace(Place(names, i))) {
      found.innermost = std::move(facts);
      found.innermost->pod_uid = pod_uid;
      ++found.containers;
    }
  }
  return found;
}

// Calls `line` with the three parts of each line until it returns false.
void ForEachHierarchy(std::string_view text, auto line) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view rest = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const size_t first = rest.find(':');
    if (first == std::string_view::npos) continue;
    const size_t second = rest.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    if (!line(rest.substr(0, first), rest.substr(first + 1, second - first - 1), rest.substr(second + 1))) return;
  }
}

}  // namespace

std::optional<ContainerFacts> ContainerOfCgroup(std::string_view path) { return Search(path).innermost; }

std::optional<ContainerFacts> ContainerOfCgroups(std::string_view proc_cgroup) {
  Found best;
  ForEachHierarchy(proc_cgroup, [&best](std::string_view, std::string_view, std::string_view path) {
    Found found = Search(path);
    if (found.containers > best.containers) best = std::move(found);
    return true;
  });
  return std::move(best.innermost);
}

bool HasOnlyUnifiedHierarchy(std::string_view proc_cgroup) {
  bool only = false;
  ForEachHierarchy(proc_cgroup, [&only](std::string_view id, std::string_view controllers, std::string_view) {
    only = id == "0" && controllers.empty();
    return only;
  });
  return only;
}

}  // namespace sockflow
