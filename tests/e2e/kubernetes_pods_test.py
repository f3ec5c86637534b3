# SPDX-License-Identifier: MIT
"""Names of the pods that processes run in, found by their cgroups.

kubernetes_pods_test.py SOCKFLOW [CASE...]
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import uuid

import programs
from fake_kubernetes import pod
from kubernetes_test import HERE, SECONDS, THERE, Kubernetes
from programs import check, skip

# A session of the process that this becomes, within the cgroup whose file it is told.
IN_CGROUP = '''
import sys
open(sys.argv[1], 'w').write('0')
import programs
client, server = programs.open_session(sys.argv[2], sys.argv[3])
print(*(s.getsockname()[1] for s in (client, server)), flush=True)
sys.stdin.read()
programs.converse(client, server, 100, 50)
'''


def unified_hierarchy():
    for line in pathlib.Path('/proc/mounts').read_text().splitlines():
        _, where, kind = line.split()[:3]
        if kind == 'cgroup2':
            return pathlib.Path(where)
    return None


class PodCgroup:
    """As the kubelet and containerd make it, with the systemd driver."""

    def __init__(self, uid):
        name = uid.replace('-', '_')
        self.container = uuid.uuid4().hex * 2
        self._top = unified_hierarchy() / f'sockflow-test-{os.getpid()}-{name}'
        self.path = (self._top / 'kubepods.slice' / 'kubepods-besteffort.slice' /
                     f'kubepods-besteffort-pod{name}.slice' / f'cri-containerd-{self.container}.scope')
        self.path.mkdir(parents=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        path = self.path
        while path != self._top.parent:
            path.rmdir()
            path = path.parent

    def session(self):
        return subprocess.Popen([sys.executable, '-B', '-c', IN_CGROUP, self.path / 'cgroup.procs', THERE, HERE],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                cwd=pathlib.Path(__file__).parent)


class Pods:
    def __init__(self, sockflow):
        kubernetes = Kubernetes(sockflow)
        self.server, self.watched = kubernetes.server, kubernetes.watched

    def case_pod_is_known(self):
        uid = str(uuid.uuid4())
        with self.server() as server, PodCgroup(uid) as cgroup:
            server.put(pod('web', uid=uid))
            with self.watched(server) as agent:
                agent.wait_for('1 pods known')
                check(self.names(agent, cgroup) == {'web'}, agent.log)
                check(re.search('lost by reason: nothing', agent.stop()), agent.log)

    def case_pod_is_told_a_moment_later(self):
        uid = str(uuid.uuid4())
        with self.server() as server, PodCgroup(uid) as cgroup, \
                self.watched(server, wait_milliseconds=10000) as agent:
            check(server.wait_for(lambda: server.watches == 1), 'no watch')
            later = threading.Timer(1, lambda: server.put(pod('web', uid=uid)))
            begin = time.monotonic()
            later.start()
            check(self.names(agent, cgroup) == {'web'}, agent.log)
            took = time.monotonic() - begin
            later.join()
            print(f'    records {took:.2f} s after the session began, the pod after 1 s')
            check(1 <= took < 5, 'not as soon as the pod was known')
            check(re.search('lost by reason: nothing', agent.stop()), agent.log)

    def case_pod_stays_unknown(self):
        with self.server() as server, PodCgroup(str(uuid.uuid4())) as cgroup, self.watched(server) as agent:
            begin = time.monotonic()
            check(self.names(agent, cgroup) == {''}, agent.log)
            took = time.monotonic() - begin
            print(f'    records after {took:.2f} s')
            check(1 <= took < 5, 'not after kubernetes.wait_milliseconds')
            check(re.search('pod_unknown 2', agent.stop()), agent.log)

    def names(self, agent, cgroup):
        """Of the pods at the local ends of a session within the cgroup."""
        maker = cgroup.session()
        ports = tuple(int(port) for port in maker.stdout.readline().split())
        agent.records(ports, 2)  # of its start
        maker.communicate('')
        check(maker.wait(SECONDS) == 0, 'the maker of the session has failed')
        records = agent.records(ports, 4)
        return {r.get('sourcePodName', '') + r.get('destinationPodName', '') for r in records}


def main():
    with tempfile.TemporaryDirectory() as folder:
        sockflow = programs.Sockflow(sys.argv[1], folder)
        sockflow.skip_unless_it_captures()
        top = unified_hierarchy()
        if top is None or not os.access(top, os.W_OK):
            skip('no cgroup v2 that can be written to')
        programs.run_cases(Pods(sockflow), sys.argv[2:])


if __name__ == '__main__':
    main()
