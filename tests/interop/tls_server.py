# SPDX-License-Identifier: MIT
"""openssl s_server as a collector over TLS or DTLS."""
import contextlib
import pathlib
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'e2e'))
import programs  # noqa: E402
from receiver import PipeReceiver, place  # noqa: E402

START_SECONDS = 10


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def is_bound(port, scheme):
    """From outside: connecting would take the server's only connection."""
    tables = ('udp', 'udp6') if scheme == 'dtls' else ('tcp', 'tcp6')
    listening = '07' if scheme == 'dtls' else '0A'
    for table in tables:
        for line in pathlib.Path(f'/proc/net/{table}').read_text().splitlines()[1:]:
            _, local, _, state = line.split()[:4]
            if int(local.rsplit(':', 1)[1], 16) == port and state == listening:
                return True
    return False


class Server:
    """Takes octets of one exporter after the other and asks each for a certificate."""

    def __init__(self, elements, scheme, identity, authority, *options, max_octets=65535,
                 host='127.0.0.1', **rules):
        self.scheme, self.host = scheme, host
        self.port = free_port(socket.SOCK_DGRAM if scheme == 'dtls' else socket.SOCK_STREAM)
        versions = options or (['-dtls1_2'] if scheme == 'dtls' else [])
        # The pipe keeps it from ending: what came on its standard input it would send.
        self.process = subprocess.Popen(
            ['openssl', 's_server', '-accept', f'{place(host, self.port)}',
             '-cert', str(identity.certificate), '-key', str(identity.key),
             '-CAfile', str(authority.certificate), '-Verify', '1', '-verify_return_error',
             '-quiet', *versions],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.receiver = PipeReceiver(elements, self.process.stdout, max_octets, transport=scheme,
                                     **rules)
        deadline = time.monotonic() + START_SECONDS
        while not is_bound(self.port, scheme):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise programs.Failure(f'openssl s_server: {self.said}')
            time.sleep(0.02)

    @property
    def url(self):
        return f'{self.scheme}://{place(self.host, self.port)}'

    @property
    def octets(self):
        return self.receiver.sessions[0].octets

    def stop(self):
        """What it said of handshakes is in `said` then."""
        if self.process.poll() is None:
            self.process.terminate()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.said = self.process.stderr.read().decode(errors='replace')
        self.process.stderr.close()
        self.process.wait()
        self.receiver.join()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.stderr and not self.process.stderr.closed:
            self.stop()
