# SPDX-License-Identifier: MIT
"""Pods without a kubelet: processes with the cgroup and the network that it would have made for them."""
import contextlib
import dataclasses
import subprocess
import sys

from kubernetes_pods_test import PodCgroup
from namespaces import Network
from programs import check

SECONDS = 20
# Each within the cgroup whose file it is told first; of documentation (RFC 5737).
ADDRESSES = ('192.0.2.1', '192.0.2.2')
SERVER = '''
import socket, sys
open(sys.argv[1], 'w').write('0')
listener = socket.create_server((sys.argv[2], 0))
print(listener.getsockname()[1], flush=True)
server, _ = listener.accept()
server.sendall(server.recv(1))
server.recv(1)
'''
CLIENT = '''
import socket, sys
open(sys.argv[1], 'w').write('0')
client = socket.create_connection((sys.argv[2], int(sys.argv[3])))
print(client.getsockname()[1], flush=True)
client.sendall(b'q')
client.recv(1)
sys.stdin.read()
'''


@dataclasses.dataclass(frozen=True)
class LocalPod:
    cgroup: PodCgroup
    network: Network
    address: str

    @property
    def container(self):
        return self.cgroup.container

    def run(self, script, *arguments):
        """Within it; returns the process and its first line."""
        process = subprocess.Popen(
            [*self.network.prefix, sys.executable, '-c', script, self.cgroup.path / 'cgroup.procs',
             *(str(a) for a in arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return process, process.stdout.readline().strip()


class PodNetwork:
    """Two pods, and a link between them."""

    def __init__(self, uids):
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            networks = [stack.enter_context(Network()) for _ in ADDRESSES]
            networks[0].add_veth(networks[1], 'eth0', f'{ADDRESSES[0]}/24', 'eth0', f'{ADDRESSES[1]}/24')
            self.pods = [LocalPod(stack.enter_context(PodCgroup(uid)), network, address)
                         for uid, network, address in zip(uids, networks, ADDRESSES, strict=True)]
            self._stack = stack.pop_all()

    def session(self):
        """From the first to the second; returns its ports once it is over."""
        client_pod, server_pod = self.pods
        server, server_port = server_pod.run(SERVER, server_pod.address)
        client, client_port = client_pod.run(CLIENT, server_pod.address, server_port)
        for process in (client, server):
            process.communicate(timeout=SECONDS)
            check(process.returncode == 0, 'a process of a pod has failed')
        return int(client_port), int(server_port)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return self._stack.__exit__(*exception)
