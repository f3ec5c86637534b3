# SPDX-License-Identifier: MIT
"""Runs sockflow as a real process for the tests of the whole, and says what it did."""
import collections
import ctypes
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

# An emulated machine (tests/vm), which is slow: so many sessions a second may be made there.
IS_EMULATED = 'SOCKFLOW_SESSIONS_PER_SECOND' in os.environ
SESSIONS_PER_SECOND = int(os.environ.get('SOCKFLOW_SESSIONS_PER_SECOND', 200))
# Without hooks in the kernel.
IS_PCAP = os.environ.get('SOCKFLOW_TIER') == 'pcap'
SKIP = 77
STOP_SECONDS = 2
READY_SECONDS = 20
PR_SET_NAME = 15


class Failure(Exception):
    pass


def check(condition, text):
    if not condition:
        raise Failure(text)


def skip(why):
    print(f'SKIPPED: {why}', flush=True)
    sys.exit(SKIP)


def chosen_cases(tests, arguments):
    """Names of methods: the slow ones for "slow", all others for nothing, else those that are named."""
    names = [name for name in dir(tests) if name.startswith(('case_', 'slow_'))]
    if not arguments:
        return [name for name in names if name.startswith('case_')]
    if arguments == ['slow']:
        return [name for name in names if name.startswith('slow_')]
    return [name for name in names if name.split('_', 1)[1] in arguments]


def run_cases(tests, arguments, failures=(Failure,)):
    """Runs the chosen methods, and ends with whether all are well."""
    cases, failed = chosen_cases(tests, arguments), 0
    for case in cases:
        begin = time.monotonic()
        print(f'{case.split("_", 1)[1]}:', flush=True)
        try:
            getattr(tests, case)()
            print(f'  ok, {time.monotonic() - begin:.1f} s', flush=True)
        except failures as failure:
            print(f'  FAILED: {failure}', flush=True)
            failed += 1
    print(f'{len(cases) - failed} passed, {failed} failed')
    sys.exit(1 if failed else 0)


def run_capturing_cases(make, failures=(Failure,)):
    """The cases of make(Sockflow), if sockflow may capture here: TEST SOCKFLOW [CASE...]."""
    with tempfile.TemporaryDirectory() as folder:
        sockflow = Sockflow(sys.argv[1], folder)
        sockflow.skip_unless_it_captures()
        run_cases(make(sockflow), sys.argv[2:], failures)


def own_address(index=0):
    """One of the loopback network that no other test uses at the same time."""
    pid = os.getpid()
    return f'127.{16 + 16 * index + (pid >> 14) % 16}.{(pid >> 7) % 128}.{1 + pid % 128}'


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def read_flows(path):
    """flowId -> its records in the order of arrival, of a file with a JSON object in each line."""
    flows = collections.defaultdict(list)
    for line in path.read_text(encoding='utf-8').splitlines():
        record = json.loads(line)
        # Options records have no event; one of a session without a flowId is a fault.
        if 'firewallEvent' in record:
            flows[record['flowId']].append(record)
    return flows


class Program:
    """A running sockflow. Its log is read while it runs, so that it never waits for us."""

    def __init__(self, arguments, stdout=None, **options):
        self.process = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.DEVNULL,
                                        stdout=stdout or subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, **options)
        self.lines = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            with self._news:
                self.lines.append(line.decode(errors='backslashreplace').rstrip('\n'))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    @property
    def log(self):
        return '\n'.join(self.lines)

    def find(self, pattern):
        return next((m for m in (re.search(pattern, line) for line in list(self.lines)) if m), None)

    def wait_for(self, pattern, seconds=READY_SECONDS):
        deadline = time.monotonic() + seconds
        with self._news:
            while (found := self.find(pattern)) is None:
                left = deadline - time.monotonic()
                if left <= 0 or not self._reader.is_alive():
                    raise Failure(f'no "{pattern}" in the log:\n{self.log}')
                self._news.wait(min(left, 0.2))
        return found

    def join(self, seconds):
        """The exit status once it ends by itself."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f'still running after {seconds} s:\n{self.log}') from None
        self._reader.join(seconds)
        return status

    def stop(self, signal_number=signal.SIGTERM):
        """Stops it as a user would; it must end in order and in time. Returns its last line."""
        check(self.process.poll() is None, f'ended by itself:\n{self.log}')
        begin = time.monotonic()
        self.process.send_signal(signal_number)
        status = self.join(STOP_SECONDS)
        took = time.monotonic() - begin
        check(status == 0, f'exit status {status} after a signal:\n{self.log}')
        check(took <= STOP_SECONDS, f'took {took:.1f} s to end')
        return self.lines[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(STOP_SECONDS)
        self.process.stderr.close()


class Sockflow:
    """The program under test and a folder for its files."""

    def __init__(self, binary, folder):
        self.binary = pathlib.Path(binary).resolve()
        self.folder = pathlib.Path(folder)
        self._files = 0

    def config(self, text=''):
        # Always a file of ours: none of the machine's is looked for.
        self._files += 1
        path = self.folder / f'config{self._files}.yaml'
        path.write_text(text or 'log:\n  level: info\n')
        return path

    def agent(self, *arguments, config='', ready=True, tier=True, prefix=(), **options):
        forced = os.environ.get('SOCKFLOW_TIER')
        program = Program([*prefix, self.binary, 'run', '--config', self.config(config),
                           *(['--tier', forced] if forced and tier else []), *arguments], **options)
        if ready:
            try:
                program.wait_for('capture tier: ')
            except BaseException:
                program.__exit__()
                raise
        return program

    def collector(self, port, output, *arguments, form='json', **options):
        program = Program([self.binary, 'collect', '--listen', f'udp://127.0.0.1:{port}',
                           '--format', form, '--output', output, *arguments], **options)
        try:
            program.wait_for('listening on')
        except BaseException:
            program.__exit__()
            raise
        return program

    def skip_unless_it_captures(self):
        if os.geteuid() != 0:
            skip('not root: capturing needs CAP_BPF and CAP_PERFMON')
        with self.agent('--duration', '0.1', '--collector', f'udp://127.0.0.1:{free_udp_port()}',
                        ready=False) as agent:
            if agent.join(READY_SECONDS) != 0:
                skip(f'this host lets nothing capture:\n{agent.log}')


def name_process(name):
    """prctl(2) in this process; any octets but NUL."""
    ctypes.CDLL(None).prctl(PR_SET_NAME, name, 0, 0, 0)


def converse(client_socket, server_socket, request, reply):
    """So many octets each way; then the client closes, then the server."""
    client_socket.sendall(b'q' * request)
    read_exactly(server_socket, request)
    server_socket.sendall(b'r' * reply)
    read_exactly(client_socket, reply)
    client_socket.close()
    check(server_socket.recv(1) == b'', 'more octets than were sent')
    server_socket.close()


def read_exactly(from_socket, octets):
    while octets > 0:
        got = len(from_socket.recv(octets))
        check(got > 0, 'the peer closed too early')
        octets -= got


def open_session(host='127.0.0.1', source=None):
    """(client, server): a connected pair of sockets, both in this process."""
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind((host, 0))
        listener.listen()
        client_socket = socket.socket(family)
        if source:
            client_socket.bind((source, 0))
        client_socket.connect(listener.getsockname())
        return client_socket, listener.accept()[0]


def make_session(host='127.0.0.1', request=100, reply=50, source=None):
    """A session as converse() makes it; returns (client's port, server's port)."""
    client_socket, server_socket = open_session(host, source)
    ports = client_socket.getsockname()[1], server_socket.getsockname()[1]
    converse(client_socket, server_socket, request, reply)
    return ports
