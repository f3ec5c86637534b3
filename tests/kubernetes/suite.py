# SPDX-License-Identifier: MIT
"""What the tests with a real Kubernetes have in common: TEST SOCKFLOW CACHE [CASE...]"""
import http.client
import pathlib
import re
import socket
import ssl
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / folder) for folder in ('e2e', 'interop')]

import kubernetes_programs  # noqa: E402
import programs  # noqa: E402
import tls_certificates  # noqa: E402
from cluster import Cluster  # noqa: E402
from fetch import need  # noqa: E402
from kubernetes_test import Watched, memory_of  # noqa: E402
from programs import check  # noqa: E402
from relay import Relay  # noqa: E402
from tls_server import free_port  # noqa: E402

# The agent waits for up to 45 s after much trouble.
SECONDS = 60
# What it counts of that.
TROUBLE = re.compile('api_errors|watch_restarts|malformed_pods|pods_left_out')


def wait_for(condition, what, seconds=SECONDS):
    """What the condition says once it says anything."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        check(time.monotonic() < deadline, f'{what}: not within {seconds} s')
        time.sleep(0.05)
    return found


def check_no_trouble(agent):
    """Stops it. What it did not see of others' sessions is no matter."""
    said = agent.stop()
    check(not TROUBLE.search(said), said)


class Suite:
    """One cluster for all of the cases."""

    NODE = None  # whose kubelet may ask the API server
    PROGRAMS = ['kube-apiserver']

    def __init__(self, sockflow, cluster, certificates):
        self.sockflow, self.cluster, self.certificates = sockflow, cluster, certificates
        self._files = 0

    @staticmethod
    def prepare():
        """Before anything is started."""

    def close(self):
        pass

    def file(self, text=''):
        self._files += 1
        path = self.sockflow.folder / f'kubernetes{self._files}'
        path.write_text(text)
        return path

    def relay(self):
        return Relay(self.cluster.port)

    def watched(self, node, server, ready=r'kubernetes: \d+ pods known', **keys):
        """An agent of the node; server: what has its URL."""
        keys = {'node_name': node.name, 'token_file': self.file(node.token() + '\n'), **keys}
        return Watched(self, server.url, ready, keys)


def run(cases):
    """Builds what is missing, starts a cluster, and runs the cases of a Suite."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        sockflow = programs.Sockflow(sys.argv[1], folder)
        sockflow.skip_unless_it_captures()
        need('etcd', 'etcd-server')
        cases.prepare()
        binaries = kubernetes_programs.built(sys.argv[2], cases.PROGRAMS)
        certificates = tls_certificates.Certificates(folder)
        ports = [free_port(socket.SOCK_STREAM) for _ in range(3)]
        with Cluster(binaries, folder, certificates.authority, ports, cases.NODE) as cluster:
            print(f'kube-apiserver {kubernetes_programs.version()[0]} is ready after {cluster.start():.1f} s, '
                  f'{memory_of(cluster.server) >> 20} MiB', flush=True)
            tests = cases(sockflow, cluster, certificates)
            try:
                programs.run_cases(tests, sys.argv[3:],
                                   (programs.Failure, OSError, http.client.HTTPException, ssl.SSLError))
            finally:
                tests.close()
