// SPDX-License-Identifier: MIT
#include "enrich/container/cgroup_path.h"

#include <ostream>
#include <string>

#include "gtest/gtest.h"

namespace sockflow {

// For messages, and to compare.
bool operator==(const ContainerFacts& a, const ContainerFacts& b) {
  return a.id == b.id && a.runtime == b.runtime && a.pod_uid == b.pod_uid;
}
std::ostream& operator<<(std::ostream& out, const ContainerFacts& facts) {
  return out << "{id " << facts.id << ", runtime " << facts.runtime << ", pod " << facts.pod_uid << "}";
}

namespace {

#define ID_A "34dc0b5e626f2c5c4c5170e34b10e7654ce36f0fcd532739f4445baabea03376"
#define ID_B "d166c6190614efc91956b78e96d74c3fbc96ca8e91948c36de3bc5b0e7b27d48"
#define POD "0f9a1c2e-255a-41e9-8cd9-0007cb0b2cc8"
#define POD_ "0f9a1c2e_255a_41e9_8cd9_0007cb0b2cc8"
#define POD_2 "a38c12e8-255a-41e9-8cd9-0007cb0b2cc8"
#define STATIC_POD "9729a196c4723b60ab401eaff722982d"

struct Case {
  const char* path;
  const char* id;  // null: no container
  const char* runtime = "";
  const char* pod_uid = "";
};

void Check(const Case& expected) {
  const std::optional<ContainerFacts> found = ContainerOfCgroup(expected.path);
  if (expected.id == nullptr) {
    EXPECT_EQ(found, std::nullopt) << expected.path;
    return;
  }
  const ContainerFacts facts = {.id = expected.id, .runtime = expected.runtime, .pod_uid = expected.pod_uid};
  EXPECT_EQ(found, facts) << expected.path;
}

TEST(CgroupPathTest, Docker) {
  for (const Case& expected : std::initializer_list<Case>{
           {"/docker/" ID_A, ID_A, "docker"},
           {"/system.slice/docker-" ID_A ".scope", ID_A, "docker"},
           {"/docker-ce/docker/" ID_A, ID_A, "docker"},
           {"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID_A ".scope", ID_A, "docker"},
           {"/system.slice/docker.service/docker/" ID_A, ID_A, "docker"},
           // systemd within it
           {"/docker/" ID_A "/system.slice/nginx.service", ID_A, "docker"},
           {"/system.slice/docker-" ID_A ".scope/init.scope", ID_A, "docker"},
           // --cgroup-parent, of whatever runtime
           {"/actions_job/" ID_A, ID_A, ""},
           {"/" ID_A, ID_A, ""},
           {"/system.slice:docker:" ID_A, ID_A, "docker"},
           {"/system.slice/docker.service", nullptr},
           {"/docker", nullptr},
           {"/system.slice/var-lib-docker-containers-" ID_A "-mounts-shm.mount", nullptr},
       }) {
    Check(expected);
  }
}

TEST(CgroupPathTest, Kubernetes) {
  for (const Case& expected : std::initializer_list<Case>{
           // cgroupfs driver: the runtime does not show
           {"/kubepods/burstable/pod" POD "/" ID_A, ID_A, "", POD},
           {"/kubepods/besteffort/pod" POD "/" ID_A, ID_A, "", POD},
           {"/kubepods/guaranteed/pod" POD "/" ID_A, ID_A, "", POD},
           {"/kubepods/pod" POD "/" ID_A, ID_A, "", POD},
           {"/kubepods/pod" POD "/crio-" ID_A, ID_A, "cri-o", POD},
           {"/kubepods/burstable/pod" STATIC_POD "/" ID_A, ID_A, "", STATIC_POD},
           {"/kubepods/besteffort/pod" POD "/" ID_A "/kube-proxy", ID_A, "", POD},
           // systemd driver
           {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_ ".slice/cri-containerd-" ID_A
            ".scope", ID_A, "containerd", POD},
           {"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" POD_ ".slice/docker-" ID_A
            ".scope", ID_A, "docker", POD},
           {"/kubepods.slice/kubepods-pod" POD_ ".slice/crio-" ID_A ".scope", ID_A, "cri-o", POD},
           {"/kubepods.slice/kubepods-pod" POD_ ".slice/crio-" ID_A ".scope/container", ID_A, "cri-o", POD},
           {"/kubepods.slice/kubepods-pod" STATIC_POD ".slice/cri-containerd-" ID_A, ID_A, "containerd",
            STATIC_POD},
           {"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
            "kubelet-kubepods-burstable-pod" POD_ ".slice/cri-containerd-" ID_A ".scope", ID_A, "containerd",
            POD},
           // a systemd path of a runtime that makes it without systemd
           {"/system.slice/containerd.service/kubepods-burstable-pod" POD_ ".slice:cri-containerd:" ID_A, ID_A,
            "containerd", POD},
           {"/kubepods-pod" POD_ ".slice:crio:" ID_A, ID_A, "cri-o", POD},
           // helpers of the runtime, and a pod's own cgroup
           {"/kubepods.slice/kubepods-pod" POD_ ".slice/crio-conmon-" ID_A ".scope", nullptr},
           {"/kubepods/pod" POD "/crio-conmon-" ID_A, nullptr},
           {"/kubepods/pod" POD, nullptr},
           {"/kubepods.slice/kubepods-pod" POD_ ".slice", nullptr},
           {"/kata_overhead/" ID_A, nullptr},
           {"/system.slice/kubelet.service", nullptr},
           // no UIDs
           {"/kubepods/podfoo/" ID_A, ID_A, "", ""},
           {"/podman/" ID_A, ID_A, "", ""},
           {"/foo-pod" POD_ ".slice/docker-" ID_A ".scope", ID_A, "docker", ""},
       }) {
    Check(expected);
  }
}

TEST(CgroupPathTest, Containerd) {
  for (const Case& expected : std::initializer_list<Case>{
           {"/default/" ID_A, ID_A, "containerd"},
           {"/k8s.io/" ID_A, ID_A, "containerd"},
           {"/system.slice/nerdctl-" ID_A ".scope", ID_A, "containerd"},
           {"/system.slice/containerd.service", nullptr},
           {"/default/redis", nullptr},
       }) {
    Check(expected);
  }
}

TEST(CgroupPathTest, Podman) {
  for (const Case& expected : std::initializer_list<Case>{
           {"/machine.slice/libpod-" ID_A ".scope", ID_A, "podman"},
           {"/machine.slice/libpod-" ID_A ".scope/container", ID_A, "podman"},
           {"/machine.slice/machine-libpod_pod_" ID_B ".slice/libpod-" ID_A ".scope", ID_A, "podman"},
           {"/libpod_parent/libpod-" ID_A, ID_A, "podman"},
           {"/libpod_parent/" ID_A, ID_A, "podman"},
           {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID_A ".scope/container", ID_A,
            "podman"},
           {"/user.slice/user-1000.slice/user@1000.service/podman-4711.scope/" ID_A, ID_A, "podman"},
           {"/system.slice/nginx.service/libpod-payload-" ID_A, ID_A, "podman"},
           {"/system.slice/nginx.service/runtime", nullptr},
           {"/machine.slice/libpod-conmon-" ID_A ".scope", nullptr},
           {"/libpod_parent/conmon-" ID_A, nullptr},
           {"/user.slice/user-1000.slice/user@1000.service/user.slice/podman-4711.scope", nullptr},
       }) {
    Check(expected);
  }
}

TEST(CgroupPathTest, MachinesOfSystemdAndLibvirt) {
  for (const Case& expected : std::initializer_list<Case>{
           {"/machine.slice/machine-web.scope", "web", "systemd-nspawn"},
           {"/machine.slice/machine-web\\x2d1.scope/payload/init.scope", "web-1", "systemd-nspawn"},
           {"/machine.slice/systemd-nspawn@web.service/payload/system.slice/a.service", "web",
            "systemd-nspawn"},
           {"/machine.slice/systemd-nspawn@web.service/supervisor", nullptr},
           {"/machine.slice/machine-web.scope/supervisor", nullptr},
           {"/machine.slice/machine-lxc\\x2d4711\\x2dmy\\x2dweb.scope", "my-web", "libvirt-lxc"},
           {"/machine/web.libvirt-lxc", "web", "libvirt-lxc"},
           {"/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/vcpu0", nullptr},
           {"/machine.slice/machine-qemu\\x2dtools.scope", "qemu-tools", "systemd-nspawn"},
           {"/machine.slice", nullptr},
           {"/machine.slice/machine-.scope", nullptr},
           {"/machine.slice/machine-a\\x0ab.scope", nullptr},
           {"/machine.slice/machine-a\\x2fb.scope", nullptr},
           {"/machine.slice/machine-a\\x2.scope", nullptr},
       }) {
    Check(expected);
  }
}

TEST(CgroupPathTest, Lxc) {
  for (const Case& expected : std::initializer_list<Case>{
           {"/lxc/web", "web", "lxc"},
           {"/lxc/101/ns/system.slice/ssh.service", "101", "lxc"},
           {"/lxc.payload/web", "web", "lxc"},
           {"/lxc.payload.web/init.scope", "web", "lxc"},
           {"/lxc.payload.project_web", "project_web", "lxc"},
           {"/user.slice/user-1000.slice/session-1.scope/lxc.payload.web", "web", "lxc"},
           {"/lxc.monitor/web", nullptr},
           {"/lxc.monitor.web", nullptr},
           {"/lxc.pivot", nullptr},
           {"/lxc", nullptr},
           {"/lxc.payload.", nullptr},
           {"/lxc/..", nullptr},
           {"/lxc/\x1b[31mred", nullptr},
           {"/lxc/a\nb", nullptr},
       }) {
    Check(expected);
  }
}

TEST(CgroupPathTest, Others) {
  const char* const fargate = "34dc0b5e626f2c5c4c5170e34b10e765-1234567890";
  for (const Case& expected : std::initializer_list<Case>{
           {"/ecs/55091c13-b8cf-4801-b527-f4601742204d/" ID_A, ID_A, "docker"},
           {"/ecs/cluster/5a0d5ceddf6c44c1928d367a815d890f/" ID_A, ID_A, "docker"},
           {"/ecs/34dc0b5e626f2c5c4c5170e34b10e765/34dc0b5e626f2c5c4c5170e34b10e765-1234567890", fargate, ""},
           {"/ecstasks.slice/ecstasks-5a0d5ceddf6c44c1928d367a815d890f.slice/docker-" ID_A ".scope", ID_A,
            "docker"},
           {"/34dc0b5e626f2c5c4c5170e34b10e765/34dc0b5e626f2c5c4c5170e34b10e765-1234567890", nullptr},
           {"/garden/6f265890-5165-7fab-6b52-18d1", "6f265890-5165-7fab-6b52-18d1", "garden"},
           {"/system.slice/garden.service/garden/good/2f57368b-0eda-4e52-64d8-af5c",
            "2f57368b-0eda-4e52-64d8-af5c", "garden"},
           {"/garden/c034152c-80b0-4a44-70df-5c61-liveness-healthcheck-0",
            "c034152c-80b0-4a44-70df-5c61-liveness-healthcheck-0", "garden"},
           {"/garden/tools", nullptr},
           {"/good/2f57368b-0eda-4e52-64d8-af5c", nullptr},
           {"/mesos/a9f41620-b165-4d24-abe0-af0af92e7b20", "a9f41620-b165-4d24-abe0-af0af92e7b20", "mesos"},
           {"/mesos/a9f41620-b165-4d24-abe0", nullptr},
           {"/docker/buildkit/5cf82fwiumld3vcs5d5l5pzyv", "5cf82fwiumld3vcs5d5l5pzyv", "buildkit"},
           {"/system.slice:buildkit:5cf82fwiumld3vcs5d5l5pzyv", "5cf82fwiumld3vcs5d5l5pzyv", "buildkit"},
           {"/system.slice/buildkit-5cf82fwiumld3vcs5d5l5pzyv.scope", "5cf82fwiumld3vcs5d5l5pzyv", "buildkit"},
           {"/system.slice/runc-my-web.scope", "my-web", "runc"},
           {"/system.slice:runc:my_web", "my_web", "runc"},
           {"/user.slice/crun-web.scope", "web", "crun"},
           {"/system.slice/runc-" ID_A ".scope", ID_A, "runc"},
           // of a runtime that is not known here
           {"/system.slice/newthing-" ID_A ".scope", ID_A, ""},
       }) {
    Check(expected);
  }
}

TEST(CgroupPathTest, NoContainers) {
  for (const char* path :
       {"", "/", "//", "..", "/..", "/../..", "/init.scope", "/system.slice/ssh.service",
        "/system.slice/system-postgresql.slice/postgresql@15-main.service", "/user.slice/user-0.slice/session-1.scope",
        "/system.slice/runc.service", "/system.slice/crun.slice",
        "/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-1234.scope",
        "/system.slice/backup@" ID_A ".service", "/system.slice/run-u42.scope", "/podruntime/kubelet", "/myapp",
        "/system.slice/a:b", "/:", "/::", "/:runc:", "/-", "/.scope", "/docker-.scope", "/runc-.scope"}) {
    EXPECT_EQ(ContainerOfCgroup(path), std::nullopt) << path;
  }
}

TEST(CgroupPathTest, OfContainersInContainersTheInnermost) {
  for (const Case& expected : std::initializer_list<Case>{
           {"/docker/" ID_A "/docker/" ID_B, ID_B, "docker"},
           // kind: a node is a container
           {"/docker/" ID_A "/kubelet/kubepods/burstable/pod" POD "/" ID_B, ID_B, "", POD},
           {"/system.slice/docker-" ID_A ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" POD_
            ".slice/cri-containerd-" ID_B ".scope", ID_B, "containerd", POD},
           // its own daemons
           {"/docker/" ID_A "/system.slice/containerd.service", ID_A, "docker"},
           {"/docker/" ID_A "/kubelet.slice/kubelet-kubepods-pod" POD_ ".slice/crio-conmon-" ID_B ".scope", ID_A,
            "docker", ""},
           // docker in a pod
           {"/kubepods/besteffort/pod" POD "/" ID_A "/docker/" ID_B, ID_B, "docker", POD},
           // kind in a pod
           {"/kubepods/pod" POD "/" ID_A "/docker/" ID_B "/kubelet/kubepods/pod" POD_2 "/" ID_A, ID_A, "",
            POD_2},
           {"/lxc/101/ns/docker/" ID_A, ID_A, "docker"},
           {"/lxc.payload.outer/lxc.payload.inner", "inner", "lxc"},
       }) {
    Check(expected);
  }
}

TEST(CgroupPathTest, AsACgroupNamespaceShowsThem) {
  for (const Case& expected : std::initializer_list<Case>{
           {"/../../../besteffort/pod" POD "/" ID_A, ID_A, "", POD},
           {"/../../pod" POD "/" ID_A, ID_A, "", POD},
           {"/../docker-" ID_A ".scope", ID_A, "docker"},
           {"/../" ID_A, ID_A, ""},
           {"../cri-containerd-" ID_A ".scope", ID_A, "containerd"},
       }) {
    Check(expected);
  }
}

TEST(CgroupPathTest, HostileNames) {
  const std::string id = ID_A;
  for (const std::string& path :
       {"/docker/" + id.substr(1), "/docker/" + id + "0", "/system.slice/docker-" + id.substr(1) + ".scope",
        "/system.slice/docker-" + id + "0.scope", "/system.slice/docker-" + id + ".scope.scope",
        "/docker/" + id.substr(1) + "g", "/docker/" + id.substr(1) + "A", "/docker/" + id.substr(1) + "\n",
        "/docker\\x2d" + id, "/lxc/" + std::string(256, 'a'), "/lxc/" + std::string("a\0b", 3),
        "/docker/" + id + std::string(1, '\0'), std::string(5000, '/') + "docker/" + id}) {
    EXPECT_EQ(ContainerOfCgroup(path), std::nullopt) << path;
  }
  std::string deep = "/docker/" + id;
  while (deep.size() < 4000) deep += "/x";
  EXPECT_NE(ContainerOfCgroup(deep), std::nullopt);
  // Whoever may make cgroups can make this; it is bounded and no crash.
  std::string many;
  while (many.size() + 71 < 4096) many += "/pod" POD "/docker-" + id;
  EXPECT_NE(ContainerOfCgroup(many), std::nullopt);
}

TEST(CgroupPathTest, ACgroupThatHasBeenRemoved) {
  Check({"/docker/" ID_A " (deleted)", ID_A, "docker"});
  Check({"/lxc/web (deleted)", "web", "lxc"});
}

ContainerFacts Docker(const std::string& id) { return {.id = id, .runtime = "docker"}; }

TEST(ProcCgroupTest, OneHierarchy) {
  EXPECT_EQ(ContainerOfCgroups("0::/docker/" ID_A "\n"), Docker(ID_A));
  EXPECT_EQ(ContainerOfCgroups("0::/system.slice/ssh.service\n"), std::nullopt);
  EXPECT_EQ(ContainerOfCgroups("0::/system.slice/a:docker:" ID_A), Docker(ID_A)) << "a path may have colons";
}

TEST(ProcCgroupTest, SomeHierarchiesMayBeLeftAlone) {
  EXPECT_EQ(ContainerOfCgroups("12:cpuset:/\n11:name=systemd:/system.slice/docker.service\n"
                               "4:cpu,cpuacct:/docker/" ID_A "\n0::/system.slice/containerd.service\n"),
            Docker(ID_A));
  EXPECT_EQ(ContainerOfCgroups("1:name=systemd:/docker/" ID_A "\n2:cpu:/\n"), Docker(ID_A));
  EXPECT_EQ(ContainerOfCgroups("2:cpu:/user.slice\n1:name=systemd:/user.slice\n0::/\n"), std::nullopt);
}

TEST(ProcCgroupTest, TheDeepestCounts) {
  // A runtime of old leaves the hierarchy of v2 alone.
  EXPECT_EQ(ContainerOfCgroups("3:pids:/docker/" ID_A "/docker/" ID_B "\n0::/docker/" ID_A "\n"), Docker(ID_B));
  EXPECT_EQ(ContainerOfCgroups("3:pids:/docker/" ID_A "\n1:name=systemd:/docker/" ID_A "/docker/" ID_B "\n"),
            Docker(ID_B));
}

TEST(ProcCgroupTest, Garbage) {
  for (const char* text : {"", "\n", "\n\n:", ":", "::", "0:", "0::", "garbage", "0:/docker/" ID_A "\n"}) {
    EXPECT_EQ(ContainerOfCgroups(text), std::nullopt) << text;
  }
}

TEST(ProcCgroupTest, HierarchiesOfTheHost) {
  EXPECT_TRUE(HasOnlyUnifiedHierarchy("0::/\n"));
  EXPECT_FALSE(HasOnlyUnifiedHierarchy("1:name=systemd:/\n0::/\n"));
  EXPECT_FALSE(HasOnlyUnifiedHierarchy("0::/\n1:name=systemd:/\n"));
  EXPECT_FALSE(HasOnlyUnifiedHierarchy("4:memory:/\n"));
  EXPECT_FALSE(HasOnlyUnifiedHierarchy(""));
}

}  // namespace
}  // namespace sockflow
