# SPDX-License-Identifier: MIT
"""Sessions of real containers, made by runc: the collector is told the right id for each.

container_test.py SOCKFLOW CONTAINER_SESSIONS
"""
import json
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid

import programs
from programs import check, Failure

COUNT = 20
FLOW_CREATED, FLOW_DELETED = 1, 2
OUTSIDE = '127.0.0.78'
BRIEF = 'brief'  # the container that is gone before anybody can look at it
# Without it the kernel opens no cgroup by its id.
WITHOUT_HANDLES = ['setpriv', '--bounding-set=-dac_read_search', '--inh-caps=-dac_read_search']
# All cgroups that are made here are in this one of each hierarchy.
PARENT = f'sockflow-test-{os.getpid()}'


class Container:
    """A container with network, process, mount and cgroup names of its own. Makes COUNT sessions and one more,
    whose client's socket is in our hands when nothing else is left of it."""

    def __init__(self, folder, program, name, id, cgroup, port):
        self.name, self.id, self.cgroup, self.port = name, id, cgroup, port
        self.bundle = folder / name
        (self.bundle / 'rootfs').mkdir(parents=True)
        (self.bundle / 'out').mkdir()
        shutil.copy(program, self.bundle / 'rootfs/container_sessions')
        subprocess.run(['runc', 'spec'], cwd=self.bundle, check=True)
        path = self.bundle / 'config.json'
        spec = json.loads(path.read_text())
        spec['process'].update(terminal=False,
                               args=['/container_sessions', str(port), str(COUNT), '/out/socket'])
        spec['linux']['cgroupsPath'] = f'/{PARENT}/{cgroup}'
        spec['linux']['namespaces'] = [{'type': type} for type in
                                       ('pid', 'network', 'ipc', 'uts', 'mount', 'cgroup')]
        spec['mounts'].append({'destination': '/out', 'type': 'none', 'options': ['bind'],
                               'source': str(self.bundle / 'out')})
        path.write_text(json.dumps(spec))
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.bundle / 'out/socket'))
        self.listener.listen()
        self.listener.settimeout(30)
        self.held = None
        self.process = None
        self.runc = ['runc', '--root', self.bundle / 'state']

    def start(self):
        self.process = subprocess.Popen(
            [*self.runc, 'run', '--bundle', self.bundle, f'sockflow-{self.id[:12]}'],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def take(self, is_known):
        """The last session's socket, and the container to its end, once is_known()."""
        try:
            link, _ = self.listener.accept()
        except TimeoutError:
            self.process.kill()
            raise Failure(f'{self.name} made no sessions: {self.process.communicate()[0]}') from None
        with link:
            _, descriptors, _, _ = socket.recv_fds(link, 1, 1)
            self.held = socket.socket(fileno=descriptors[0])
            wait_for(is_known, f'record of {self.name}')
            link.sendall(b'x')
        output = self.process.communicate(timeout=30)[0]
        check(self.process.returncode == 0, f'{self.name}: {output}')
        left = [parent / self.cgroup for parent in parents() if (parent / self.cgroup).exists()]
        check(not left, f'{self.name} is not gone: {left}')

    def close(self):
        if self.process is not None and self.process.poll() is None:
            subprocess.run([*self.runc, 'delete', '--force', f'sockflow-{self.id[:12]}'])
            self.process.kill()
            self.process.wait()
        if self.held is not None:
            self.held.close()
        self.listener.close()


def parents():
    """PARENT in each hierarchy."""
    root = pathlib.Path('/sys/fs/cgroup')
    return [path for path in (root / PARENT, *root.glob(f'*/{PARENT}')) if path.exists()]


def remove_parents():
    """runc leaves what it made above a container's own cgroup."""
    for parent in parents():
        for folder, _, _ in os.walk(parent, topdown=False):
            os.rmdir(folder)


def skip_unless_containers_run(folder):
    if shutil.which('runc') is None:
        programs.skip('no runc: apt-get install runc')
    bundle = folder / 'probe'
    (bundle / 'rootfs').mkdir(parents=True)
    busybox = shutil.which('busybox')
    if busybox is None:
        programs.skip('no busybox: apt-get install busybox-static')
    shutil.copy(busybox, bundle / 'rootfs/busybox')
    subprocess.run(['runc', 'spec'], cwd=bundle, check=True)
    path = bundle / 'config.json'
    spec = json.loads(path.read_text())
    spec['process'].update(terminal=False, args=['/busybox', 'true'])
    path.write_text(json.dumps(spec))
    done = subprocess.run(['runc', '--root', bundle / 'state', 'run', '--bundle', bundle,
                           f'sockflow-probe-{secrets.token_hex(4)}'],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        programs.skip(f'runc cannot run a container here: {done.stdout.strip()}')


def records_to(port, output):
    """The records of the sessions to a port."""
    lines = output.read_text().splitlines(keepends=True)
    records = [json.loads(line) for line in lines if line.endswith('\n')]  # the last may be on its way
    return [r for r in records if r.get('destinationTransportPort') == port]


def wait_for(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < deadline, f'no {what} within {seconds} s')
        time.sleep(0.05)


def ends(records):
    return sum(r['firewallEvent'] == FLOW_DELETED for r in records)


def container_of(record):
    """Of the end that the record is of: an active session's at its source, a passive one's at its destination."""
    return record.get('SRC_PROC_CONTAINER_ID', record.get('DST_PROC_CONTAINER_ID'))


def run(sockflow, program, folder, prefix=()):
    folder.mkdir()
    ids = [secrets.token_hex(32) for _ in range(3)]
    containers = [
        Container(folder, program, BRIEF, ids[0], f'docker/{ids[0]}', 20001),
        Container(folder, program, 'docker', ids[1], f'docker/{ids[1]}', 20002),
        Container(folder, program, 'pod', ids[2], f'kubepods/burstable/pod{uuid.uuid4()}/{ids[2]}', 20003)]
    output, port = folder / 'flows.json', programs.free_udp_port()
    config = 'exporter:\n  interval_seconds: 0.1\n'
    with sockflow.collector(port, output) as collector, \
            sockflow.agent('--collector', f'udp://127.0.0.1:{port}', config=config,
                           prefix=prefix) as agent:
        outside = programs.make_session(source=OUTSIDE)
        try:
            for container in containers:
                container.start()
            for container in containers:
                container.take(lambda: container.name == BRIEF or records_to(container.port, output))
            # Both ends of each session but the last; of that, the one that died with the container, and the
            # other too if it was reset by that.
            for container in containers:
                wait_for(lambda: ends(records_to(container.port, output)) >= 2 * COUNT + 1,
                         f'end of {container.name}')
        finally:
            for container in containers:
                container.close()
        for container in containers:
            wait_for(lambda: ends(records_to(container.port, output)) == 2 * COUNT + 2,
                     f'end of the session that {container.name} left')
        print(f'    {agent.stop()}')
        collector.stop()

    for container in containers:
        records = records_to(container.port, output)
        right = sum(container_of(r) == container.id for r in records)
        print(f'    {container.name}: {right} of {len(records)} records with its id')
        check(len(records) == 4 * (COUNT + 1), f'{len(records)} records')
        wrong = [r for r in records if container_of(r) != container.id]
        # What has gone within milliseconds may not be known, but never wrongly.
        if container.name == BRIEF:
            wrong = [r for r in wrong if container_of(r)]
        check(not wrong, f'not of {container.id}: {wrong[:1]}')
    mine = records_to(outside[1], output)
    check(len(mine) == 4, f'{len(mine)} records of the session outside')
    check(all(not container_of(r) for r in mine), f'a container for the session outside: {mine}')


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        sockflow = programs.Sockflow(sys.argv[1], folder)
        sockflow.skip_unless_it_captures()
        skip_unless_containers_run(folder)
        try:
            print('  by the cgroup id')
            run(sockflow, sys.argv[2], folder / 'all')
            print('  by /proc/PID/cgroup')
            run(sockflow, sys.argv[2], folder / 'without', WITHOUT_HANDLES)
        except Failure as failure:
            sys.exit(f'FAILED: {failure}')
        finally:
            remove_parents()


if __name__ == '__main__':
    main()
