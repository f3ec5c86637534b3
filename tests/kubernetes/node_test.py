# SPDX-License-Identifier: MIT
"""Names of pods that a real kubelet and containerd run on this host.

node_test.py SOCKFLOW CACHE [CASE...]
    CACHE   where Kubernetes is built the first time
"""
import contextlib
import pathlib
import subprocess

import suite
from cluster import Refused
from local_node import ADDRESS, BUSYBOX, IMAGE, LocalNode
from namespaces import CLONE_NEWNET, libc
from node import KUBELET_ROLE, KUBELET_RULES, Node, manifest
from programs import check, Failure, skip
from suite import check_no_trouble, wait_for

CLONE_NEWNS = 0x20000
COUNT = 20
NAME = 'real'
INGRESS, EGRESS = 0, 1  # flowDirection


def container(*command, **more):
    return {'containers': [{'name': 'main', 'image': IMAGE, 'imagePullPolicy': 'Never',
                            'command': [str(BUSYBOX), *command], **more}]}


def server(port, **spec):
    """Of a pod that gives back what it is sent."""
    return {**container('nc', '-ll', '-p', str(port), '-e', str(BUSYBOX), 'cat'), **spec}


def client(address, port, count=COUNT, wait=0, then='exit', **spec):
    """Of a pod that makes so many sessions, after so many seconds."""
    script = (f'sleep {wait}; i=0; while [ $i -lt {count} ]; do i=$((i+1)); echo q | {BUSYBOX} nc {address} {port}; done; '
              f'{then}')
    return {**container('sh', '-c', script), 'restartPolicy': 'Never', **spec}


class RealNode(suite.Suite):
    """The cases. One node for all of them."""

    NODE = NAME
    PROGRAMS = ['kube-apiserver', 'kubelet']

    @staticmethod
    def prepare():
        for path, package in (('/usr/bin/containerd', 'containerd'), ('/usr/sbin/runc', 'runc'),
                              ('/usr/lib/cni/bridge', 'containernetworking-plugins'), (BUSYBOX, 'busybox-static')):
            if not pathlib.Path(path).exists():
                skip(f'{path} is not there: apt-get install --no-install-recommends {package}')
        # All that follows is within: the bridge of the pods, the mounts of the kubelet.
        check(libc.unshare(CLONE_NEWNET | CLONE_NEWNS) == 0, 'unshare has failed')
        for command in (['mount', '--make-rprivate', '/'], ['ip', 'link', 'set', 'lo', 'up']):
            subprocess.run(command, check=True)

    def __init__(self, sockflow, cluster, certificates):
        super().__init__(sockflow, cluster, certificates)
        self.node = Node(cluster, NAME)
        self.local = LocalNode(cluster, NAME, certificates.authority.issue('kubelet', f'IP:{ADDRESS}'))

    def close(self):
        self.local.close()

    def phase(self, name, phase):
        """Waits until the pod is in it; returns its status."""
        told = {}

        def status():
            with contextlib.suppress(Refused):  # not there yet
                told.update(self.node.get(name)['status'])
            return told if told.get('phase') == phase else None
        try:
            return wait_for(status, f'{name} is not {phase}')
        except Failure as failure:
            raise Failure(f'{failure}: {told}\n{self.local.log[-3000:]}') from None

    def sessions(self, agent, port, count=COUNT):
        """The records of so many sessions to the port: those of the clients' sockets, those of the server's."""
        def ours():
            return [r for r in agent.all_records() if r.get('destinationTransportPort') == port]
        wait_for(lambda: len(ours()) >= 4 * count, f'records of {count} sessions')
        by_side = [[r for r in ours() if r['flowDirection'] == side] for side in (EGRESS, INGRESS)]
        check([len(records) for records in by_side] == [2 * count] * 2, [len(r) for r in by_side])
        return by_side

    def check_names(self, records, *expected, share=1.0):
        """The pods at the source and at the destination; of so many of them at least."""
        names = [(r.get('sourcePodName', ''), r.get('destinationPodName', '')) for r in records]
        right = names.count(expected)
        print(f'    {right} of {len(names)} records name {" and ".join(name or "none" for name in expected)}')
        check(right >= share * len(names), set(names))

    def case_pods(self):
        """The agent is there before they are."""
        with self.relay() as relay, self.watched(self.node, relay) as agent:
            _, owner = self.node.make_replica_set('back', '7c9d8b6f54')
            back = 'back-7c9d8b6f54-a'
            self.node.put(back, labels={'app': 'back', 'pod-template-hash': '7c9d8b6f54'}, owner=owner,
                          **server(1080))
            address = self.phase(back, 'Running')['podIP']
            # Who lives for long enough that its address is known.
            self.node.put('front', **client(address, 1080, wait=5))
            self.phase('front', 'Succeeded')
            clients, servers = self.sessions(agent, 1080)
            self.check_names(clients + servers, 'front', back)
            check({r['destinationPodWorkload'] for r in clients} == {'Deployment/back'}, clients[0])
            check({r['sourcePodNamespace'] for r in clients} == {NAME}, clients[0])
            check_no_trouble(agent)

    def case_brief_pod(self):
        """Its sessions begin when it does: the API does not know its address before it is gone."""
        with self.relay() as relay, self.watched(self.node, relay) as agent:
            self.node.put('echo', **server(1081))
            address = self.phase('echo', 'Running')['podIP']
            self.node.put('brief', **client(address, 1081))
            self.phase('brief', 'Succeeded')
            clients, servers = self.sessions(agent, 1081)
            self.check_names(clients, 'brief', 'echo')
            # At the other end there is only the address to go by: no name, or the right one.
            self.check_names(servers, 'brief', 'echo', share=0)
            check({r['destinationPodName'] for r in servers} == {'echo'}, servers[0])
            check({r.get('sourcePodName', '') for r in servers} <= {'brief', ''}, servers[0])
            check_no_trouble(agent)

    def case_container_restarts(self):
        with self.relay() as relay, self.watched(self.node, relay) as agent:
            self.node.put('plain', **server(1082))
            address = self.phase('plain', 'Running')['podIP']
            self.node.put('again', **client(address, 1082, count=5, then='exit 1', restartPolicy='OnFailure'))
            wait_for(lambda: self.restarts('again') >= 1, 'no restart')
            clients, _ = self.sessions(agent, 1082, count=10)
            self.check_names(clients, 'again', 'plain')
            check(len({r['SRC_PROC_CONTAINER_ID'] for r in clients}) == 2, 'one container')
            self.node.delete('again')
            check_no_trouble(agent)

    def restarts(self, name):
        statuses = self.node.get(name)['status'].get('containerStatuses', [])
        return sum(s['restartCount'] for s in statuses if s['state'].get('running') or s['state'].get('waiting'))

    def case_host_network(self):
        """By its cgroup, since it has no address of its own."""
        with self.relay() as relay, self.watched(self.node, relay) as agent:
            self.node.put('inside', **server(1083))
            address = self.phase('inside', 'Running')['podIP']
            self.node.put('outside', **client(address, 1083, hostNetwork=True))
            self.phase('outside', 'Succeeded')
            clients, servers = self.sessions(agent, 1083)
            self.check_names(clients, 'outside', 'inside')
            self.check_names(servers, '', 'inside')
            check_no_trouble(agent)

    def case_static_pod(self):
        """The kubelet knows it before the API does, and by another uid."""
        with self.relay() as relay, self.watched(self.node, relay) as agent:
            self.node.put('target', **server(1084))
            address = self.phase('target', 'Running')['podIP']
            pod = manifest('static', None, **client(address, 1084, wait=5))
            pod['metadata']['namespace'] = NAME
            self.local.put_static_pod('static', pod)
            self.phase(f'static-{NAME}', 'Succeeded')
            clients, servers = self.sessions(agent, 1084)
            self.check_names(clients + servers, f'static-{NAME}', 'target')
            check({r['sourcePodWorkload'] for r in clients} == {f'Node/{NAME}'}, clients[0])
            check_no_trouble(agent)

    def case_kubelet(self):
        """Asked instead of the API server."""
        self.node.put('first', **server(1085))
        address = self.phase('first', 'Running')['podIP']
        with self.watched(self.node, self.local, source='kubelet',
                          ready='HTTP 403.*allow the service account to get nodes/proxy') as agent:
            self.node.allow(KUBELET_ROLE, KUBELET_RULES)
            agent.wait_for(r'kubernetes: \d+ pods known', suite.SECONDS)
            self.node.put('second', **client(address, 1085, wait=15))
            self.phase('second', 'Succeeded')
            clients, servers = self.sessions(agent, 1085)
            self.check_names(clients, 'second', 'first')
            self.check_names(servers, 'second', 'first')
            agent.stop()

    def case_agent_comes_later(self):
        """Pods and their sessions are older than it."""
        self.node.put('old', **server(1086))
        address = self.phase('old', 'Running')['podIP']
        self.node.put('older', **container('sh', '-c', f'sleep 12 | {BUSYBOX} nc {address} 1086'),
                      restartPolicy='Never')
        self.phase('older', 'Running')
        with self.relay() as relay, self.watched(self.node, relay) as agent:
            self.phase('older', 'Succeeded')
            clients, servers = self.sessions(agent, 1086, count=1)
            self.check_names(clients + servers, 'older', 'old')
            check({r['sessionPreExisting'] for r in clients + servers} == {True}, clients)
            check_no_trouble(agent)


if __name__ == '__main__':
    suite.run(RealNode)
