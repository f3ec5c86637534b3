// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string_view>

#include "sockflow/session.h"

namespace sockflow {

// Which container a process runs in, told from names alone: container runtimes name the cgroup of a
// container after its id. Whoever may make cgroups may make such names, too, also within a container, so
// this says what a path claims. Pure.

// Of one cgroup path ("/system.slice/docker-ID.scope"), absolute or as a cgroup namespace shows it
// ("/../kubepods/..."). Of containers within containers the innermost; the pod is the nearest around it.
// None: it names no container (a service, a session of a user, a runtime's own helper), or is longer than
// the kernel makes paths.
std::optional<ContainerFacts> ContainerOfCgroup(std::string_view path);

// Of the text of /proc/PID/cgroup (cgroups(7)): a line "ID:CONTROLLERS:PATH" for each hierarchy. With
// cgroup v1 a process may be in another cgroup in each, and a runtime leaves some alone: the path counts
// that goes through the most containers.
std::optional<ContainerFacts> ContainerOfCgroups(std::string_view proc_cgroup);

// Whether the text of a /proc/PID/cgroup names no other hierarchy than that of cgroup v2 ("0::PATH"), so
// that its path tells everything.
bool HasOnlyUnifiedHierarchy(std::string_view proc_cgroup);

}  // namespace sockflow
