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

    def __init__(self, mtu):
        self.holder = subprocess.Popen(['unshare', '--net', 'sh', '-c', 'echo; exec cat'],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        self._path = f'/proc/{self.holder.pid}/ns/net'
        subprocess.run([*self.prefix, 'ip', 'link', 'set', 'lo', 'mtu', str(mtu), 'up'],
                       check=True)

    @property
    def prefix(self):
        return ['nsenter', f'--net={self._path}']

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
