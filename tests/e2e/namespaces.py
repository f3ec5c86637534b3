# SPDX-License-Identifier: MIT
"""A file system and a network for a program, or a socket, of its own."""
import ctypes
import os
import pathlib
import shlex
import subprocess
import threading

import programs

CLONE_NEWNET = 0x40000000
# An IPv6 address is looked for at others for a second before it can be used.
NO_WAIT = {False: [], True: ['nodad']}
libc = ctypes.CDLL(None, use_errno=True)


def private_mounts(*commands):
    """What to put before a command line so that it runs after `commands` (mount, ...) in a mount
    namespace of its own, as the same process."""
    script = ' && '.join([*(shlex.join(str(word) for word in command) for command in commands),
                          'exec "$@"'])
    return ['unshare', '--mount', 'sh', '-c', script, 'sh']


def inside(program, path):
    """The path as the running program sees it."""
    return pathlib.Path(f'/proc/{program.process.pid}/root{path}')


class Network:
    """A network namespace with a loopback interface and nothing else."""

    def __init__(self, mtu=65536):
        self.holder = subprocess.Popen(['unshare', '--net', 'sh', '-c', 'echo; exec cat'],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        self._path = f'/proc/{self.holder.pid}/ns/net'
        subprocess.run([*self.prefix, 'ip', 'link', 'set', 'lo', 'mtu', str(mtu), 'up'],
                       check=True)

    def add_veth(self, peer, name, address, peer_name, peer_address):
        """A link of its own to the network `peer`; addresses with their prefix length."""
        self.run('ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', peer_name, 'netns',
                 str(peer.holder.pid))
        for network, interface, own in ((self, name, address), (peer, peer_name, peer_address)):
            network.run('ip', 'address', 'add', own, 'dev', interface, *NO_WAIT[':' in own])
            network.run('ip', 'link', 'set', interface, 'up')

    @property
    def prefix(self):
        return ['nsenter', f'--net={self._path}']

    def run(self, *command):
        subprocess.run([*self.prefix, *command], check=True)

    def call(self, function):
        """In a thread within: sockets that it makes belong there."""
        result = []

        def run():
            fd = os.open(self._path, os.O_RDONLY)
            try:
                programs.check(libc.setns(fd, CLONE_NEWNET) == 0, 'setns has failed')
                result.append(function())
            finally:
                os.close(fd)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        programs.check(result, 'nothing was made in the network namespace')
        return result[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()
