# SPDX-License-Identifier: MIT
"""A node on this host: containerd, a kubelet and a bridge, in the network and mount namespace of the caller."""
import contextlib
import hashlib
import io
import json
import os
import pathlib
import subprocess
import tarfile

import programs

ADDRESS = '192.0.2.10'  # of the node, and of documentation (RFC 5737)
POD_NETWORK, BRIDGE = '198.51.100.0/24', '198.51.100.1'
IMAGE = 'sockflow.invalid/busybox:1'
BUSYBOX = pathlib.Path('/bin/busybox')
SECONDS = 60
CGROUPS = pathlib.Path('/sys/fs/cgroup')


def image_archive(path):
    """An image with busybox and nothing else, in the OCI's layout; alone it sleeps, as a sandbox does."""
    def packed(files):
        octets = io.BytesIO()
        with tarfile.open(fileobj=octets, mode='w') as tar:
            for name, (content, mode) in files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), mode
                tar.addfile(entry, io.BytesIO(content))
        return octets.getvalue()

    blobs = {}

    def blob(content, media_type):
        digest = hashlib.sha256(content).hexdigest()
        blobs[f'blobs/sha256/{digest}'] = (content, 0o644)
        return {'mediaType': f'application/vnd.oci.image.{media_type}', 'digest': f'sha256:{digest}',
                'size': len(content)}

    layer = blob(packed({'bin/busybox': (BUSYBOX.read_bytes(), 0o755)}), 'layer.v1.tar')
    architecture = {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(os.uname().machine, os.uname().machine)
    config = blob(json.dumps({
        'architecture': architecture, 'os': 'linux',
        'config': {'Entrypoint': [str(BUSYBOX), 'sleep', '1000000'], 'Env': ['PATH=/bin']},
        'rootfs': {'type': 'layers', 'diff_ids': [layer['digest']]}}).encode(), 'config.v1+json')
    manifest = blob(json.dumps({'schemaVersion': 2, 'config': config, 'layers': [layer]}).encode(),
                    'manifest.v1+json')
    manifest['annotations'] = {'io.containerd.image.name': IMAGE}
    path.write_bytes(packed({
        'oci-layout': (b'{"imageLayoutVersion":"1.0.0"}', 0o644),
        'index.json': (json.dumps({'schemaVersion': 2, 'manifests': [manifest]}).encode(), 0o644), **blobs}))


class LocalNode:
    """`identity`: the certificate of the kubelet."""

    url = f'https://{ADDRESS}:10250'  # of the kubelet

    def __init__(self, cluster, name, identity):
        self.name, self._folder = name, cluster.folder / 'node'
        self._folder.mkdir()
        self._cgroup = f'sockflow-test-{os.getpid()}'
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            self._make_address()
            stack.callback(self._unmount)
            stack.callback(self._remove_cgroups)
            self._make_cgroups()
            self._containerd = stack.enter_context(self._start_containerd())
            stack.callback(self._remove_containers)
            self._kubelet = stack.enter_context(self._start_kubelet(cluster, identity))
            self._stack = stack.pop_all()

    def _make_address(self):
        for command in (['add', 'node0', 'type', 'veth', 'peer', 'name', 'node1'], ['set', 'node0', 'up'],
                        ['set', 'node1', 'up']):
            subprocess.run(['ip', 'link', *command], check=True)
        subprocess.run(['ip', 'address', 'add', f'{ADDRESS}/24', 'dev', 'node0'], check=True)
        # Where else the kubelet wants to know that it can go.
        subprocess.run(['ip', 'route', 'add', 'default', 'dev', 'node0'], check=True)

    def _hierarchies(self):
        return [p for p in CGROUPS.iterdir() if p.is_dir() and not p.is_symlink()]

    def _make_cgroups(self):
        for hierarchy in self._hierarchies():
            (hierarchy / self._cgroup).mkdir()

    def _remove_cgroups(self):
        for hierarchy in self._hierarchies():
            for path, _, _ in os.walk(hierarchy / self._cgroup, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(path)

    def _unmount(self):
        mounts = [line.split()[1] for line in pathlib.Path('/proc/self/mounts').read_text().splitlines()]
        for path in reversed([m for m in mounts if m.startswith(f'{self._folder}/')]):
            subprocess.run(['umount', '--lazy', path], check=True)

    def _start_containerd(self):
        (self._folder / 'cni').mkdir()
        (self._folder / 'cni/1.conflist').write_text(json.dumps({
            'cniVersion': '0.4.0', 'name': 'pods', 'plugins': [
                {'type': 'bridge', 'bridge': 'cni0', 'isGateway': True, 'hairpinMode': True,
                 'ipam': {'type': 'host-local', 'dataDir': str(self._folder / 'leases'),
                          'ranges': [[{'subnet': POD_NETWORK, 'gateway': BRIDGE}]]}}]}))
        config = self._folder / 'containerd.toml'
        self._socket = self._folder / 'containerd.sock'
        config.write_text(f'''version = 2
root = "{self._folder}/root"
state = "{self._folder}/state"
[grpc]
address = "{self._socket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{IMAGE}"
restrict_oom_score_adj = true
disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{self._folder}/cni"
''')
        daemon = programs.Program(['containerd', '--config', config])
        try:
            daemon.wait_for('containerd successfully booted', SECONDS)
            image_archive(self._folder / 'image.tar')
            self._ctr('images', 'import', self._folder / 'image.tar')
        except BaseException:
            daemon.__exit__()
            raise
        return daemon

    def _ctr(self, *arguments, check=True):
        return subprocess.run(['ctr', '--address', self._socket, '--namespace', 'k8s.io', *arguments], check=check,
                              capture_output=True, text=True).stdout

    def _remove_containers(self):
        """With them go the shims, which outlive containerd."""
        for task in self._ctr('tasks', 'ls', '--quiet', check=False).split():
            self._ctr('tasks', 'rm', '--force', task, check=False)

    def _start_kubelet(self, cluster, identity):
        kubeconfig, config = self._folder / 'kubeconfig', self._folder / 'kubelet.json'
        one = {'name': 'one'}
        kubeconfig.write_text(json.dumps({
            'apiVersion': 'v1', 'kind': 'Config', 'current-context': 'one',
            'clusters': [{**one, 'cluster': {'server': f'https://127.0.0.1:{cluster.port}',
                                             'certificate-authority': str(cluster.authority.certificate)}}],
            'users': [{**one, 'user': {'token': cluster.kubelet_token}}],
            'contexts': [{**one, 'context': {'cluster': 'one', 'user': 'one'}}]}))
        (self._folder / 'static').mkdir()
        config.write_text(json.dumps({
            'apiVersion': 'kubelet.config.k8s.io/v1beta1', 'kind': 'KubeletConfiguration',
            'address': ADDRESS, 'tlsCertFile': str(identity.certificate), 'tlsPrivateKeyFile': str(identity.key),
            'authentication': {'anonymous': {'enabled': False}, 'webhook': {'enabled': True}},
            # Whoever was refused may be allowed a moment later.
            'authorization': {'mode': 'Webhook', 'webhook': {'cacheUnauthorizedTTL': '1s'}}, 'readOnlyPort': 0, 'healthzPort': 0,
            'cgroupDriver': 'cgroupfs', 'cgroupRoot': f'/{self._cgroup}', 'enforceNodeAllocatable': [],
            'failSwapOn': False, 'makeIPTablesUtilChains': False, 'oomScoreAdj': 0, 'resolvConf': '',
            # A full disk of this host is no matter here.
            'evictionHard': {'nodefs.available': '0%', 'imagefs.available': '0%', 'memory.available': '0%'},
            'imageGCHighThresholdPercent': 100, 'volumePluginDir': str(self._folder / 'volume-plugins'),
            'staticPodPath': str(self._folder / 'static')}))
        return programs.Program([
            cluster.binaries / 'kubelet', f'--kubeconfig={kubeconfig}', f'--config={config}',
            f'--root-dir={self._folder}/kubelet', f'--cert-dir={self._folder}/kubelet-certificates',
            f'--hostname-override={self.name}', f'--node-ip={ADDRESS}',
            f'--container-runtime-endpoint=unix://{self._socket}'])

    @property
    def log(self):
        return self._kubelet.log

    def put_static_pod(self, name, manifest):
        (self._folder / 'static' / f'{name}.json').write_text(json.dumps(
            {'apiVersion': 'v1', 'kind': 'Pod', **manifest}))

    def close(self):
        self._stack.close()
