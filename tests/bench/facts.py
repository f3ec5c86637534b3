# SPDX-License-Identifier: MIT
"""An agent that tells everything: what its stage of the bench (run.py) measures."""

import json
import pathlib
import sys
import tempfile
import uuid

import processes

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "e2e"), str(TESTS / "interop")]
import tls_certificates  # noqa: E402
from fake_kubernetes import NODE, FakeKubernetes, pod  # noqa: E402
from kubernetes_pods_test import PodCgroup, unified_hierarchy  # noqa: E402

PODS = 200  # on this node, beside the one of the load


class AllFacts:
    """A pod that a load can run in, an API server that knows it, and a configuration that wants all."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="sockflow-bench-")
        folder = pathlib.Path(self._folder.name)
        certificates = tls_certificates.Certificates(folder)
        uid = str(uuid.uuid4())
        self._server = FakeKubernetes(certificates.collector)
        self._server.put(pod("load", uid=uid),
                         *(pod(f"other{i}", f"198.51.100.{i}") for i in range(PODS)))
        self._cgroup = PodCgroup(uid) if unified_hierarchy() else None
        token = folder / "token"
        token.write_text("right")
        self._config = folder / "config.yaml"
        self._wanted = {
            "exporter": {"pen": 32473},
            "process": {"command_line": True},
            "kubernetes": {"enabled": True, "api_server": self._server.url, "node_name": NODE,
                           "token_file": str(token),
                           "ca_file": str(certificates.authority.certificate), "labels": ["app"]}}

    def __enter__(self):
        self._server.__enter__()
        if self._cgroup:
            self._cgroup.__enter__()
        return self

    def __exit__(self, *error):
        if self._cgroup:
            self._cgroup.__exit__(*error)
        self._server.__exit__(*error)
        self._folder.cleanup()

    def run_json(self, *command):
        """processes.run_json, within the pod."""
        if not self._cgroup:
            return processes.run_json(*command)
        join = f"echo 0 >{self._cgroup.path}/cgroup.procs && exec \"$@\""
        return processes.run_json("sh", "-c", join, "sh", *command)

    def agent(self, build, port):
        collector = {"url": f"udp://127.0.0.1:{port}", "profile": "full"}
        # JSON is YAML, too.
        self._config.write_text(json.dumps({"collectors": [collector], **self._wanted}))
        return FullAgent(build, str(self._config))


class FullAgent(processes.Agent):
    def __init__(self, build, config):
        self.start(self.command(build, config), ready=r"(?s)pods known.*capture tier:|capture tier:.*pods known")
