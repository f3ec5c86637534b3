# SPDX-License-Identifier: MIT
"""Take what an exporter sends, over datagrams or streams or in files, and look at every octet."""
import dataclasses
import gzip
import pathlib
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

import programs

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'interop'))
import ipfix_validator  # noqa: E402

# Not in Python's socket module.
SO_MEMINFO, SK_MEMINFO_WORDS, SK_MEMINFO_DROPS = 55, 9, 8
SO_TIMESTAMP = 29
SO_RCVBUFFORCE = 33  # also beyond net.core.rmem_max
TICK = 0.02  # how often a thread looks whether it has to end
# A reset instead of a FIN.
LINGER_NONE = struct.pack('ii', 1, 0)


def read_elements(sockflow):
    """The elements that sockflow says it exports."""
    path = sockflow.folder / 'fields.csv'
    with open(path, 'wb') as stdout, \
            programs.Program([sockflow.binary, 'fields', '--format', 'csv'],
                             stdout=stdout) as fields:
        programs.check(fields.join(10) == 0, f'sockflow fields has failed:\n{fields.log}')
    with open(path, encoding='utf-8') as lines:
        return ipfix_validator.read_elements(lines)


def place(host, port):
    return f'[{host}]:{port}' if ':' in host else f'{host}:{port}'


def family_of(host):
    return socket.AF_INET6 if ':' in host else socket.AF_INET


class Receiver:
    """A collector of datagrams that keeps them as they are. `rules`: as Validator takes them."""

    def __init__(self, elements, max_octets=65535, *, host='127.0.0.1', port=0,
                 receive_buffer=32 << 20, **rules):
        self.host = host
        self.socket = socket.socket(family_of(host), socket.SOCK_DGRAM)
        if receive_buffer:  # else the system's default
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer)
        # When a datagram came, not when this program got round to it.
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)
        self.socket.bind((host, port))
        self.validator = ipfix_validator.Validator(elements, max_octets, **rules)
        self.messages = []  # (octets, records)

    @property
    def url(self):
        return f'udp://{place(self.host, self.socket.getsockname()[1])}'

    @property
    def records(self):
        return [record for _, records in self.messages for record in records]

    @property
    def dropped(self):
        """Datagrams for which the kernel had no room."""
        counts = self.socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4 * SK_MEMINFO_WORDS)
        return struct.unpack(f'{SK_MEMINFO_WORDS}I', counts)[SK_MEMINFO_DROPS]

    def receive(self, seconds=0):
        """Takes one datagram; False if none comes."""
        self.socket.settimeout(seconds)
        try:
            message, control, _, _ = self.socket.recvmsg(65535, socket.CMSG_SPACE(16))
        except (BlockingIOError, TimeoutError):
            return False
        came = time.time()
        for level, kind, value in control:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMP):
                seconds_part, microseconds = struct.unpack('ll', value)
                came = seconds_part + microseconds / 1e6
        self.messages.append((message, self.validator.feed(message, came)))
        return True

    def receive_all(self):
        while self.receive():
            pass

    def finish(self):
        """After the exporter has ended."""
        self.receive_all()
        self.validator.end_session()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


@dataclasses.dataclass
class Session:
    """One connection, as it came."""
    chunks: list = dataclasses.field(default_factory=list)  # (when, octets)
    # 'closed': FIN, after close_notify over TLS; 'cut': FIN without; 'reset'; 'ours': we ended it.
    end: str | None = None
    begins_exporter: bool = False  # a new process, whose counters begin at 0

    @property
    def octets(self):
        return b''.join(octets for _, octets in self.chunks)


class Sessions:
    """Validates what came in sessions of octet streams, as far as it has come."""

    def __init__(self, validator):
        self.validator = validator
        self.sessions = []
        self.messages = []  # (octets, records)
        self._session = -1  # that is being looked at
        self._chunk = 0
        self._stream = None

    @property
    def records(self):
        return [record for _, records in self.messages for record in records]

    def receive_all(self):
        while True:
            if self._session >= 0:
                session = self.sessions[self._session]
                has_ended = session.end is not None  # before its chunks are counted
                while self._chunk < len(session.chunks):
                    at, octets = session.chunks[self._chunk]
                    self._chunk += 1
                    for message in self._stream.feed(octets):
                        self.messages.append((message, self.validator.feed(message, at)))
                if not has_ended:
                    return
                if session.end == 'closed':
                    self._stream.end()
                    self.validator.end_session()
            if self._session + 1 == len(self.sessions):
                return
            self._session += 1
            self._chunk = 0
            self._stream = ipfix_validator.MessageStream()
            if self.sessions[self._session].begins_exporter:
                self.validator.restart_exporter()
            elif self._session > 0:
                if self.sessions[self._session - 1].end != 'closed':
                    # What was sent need not have come.
                    self.validator.counts_more = True
                self.validator.begin_session()

    def finish(self):
        """After the exporter has ended, which it must have done in order."""
        self.receive_all()
        last = self.sessions[-1].end if self.sessions else None
        programs.check(last == 'closed', f'the last session is {last or "still open"}')


class StreamReceiver(Sessions):
    """A collector over TCP or TLS. A thread takes what comes, one connection at a time.

    tls             an ssl.SSLContext for a server
    receive_buffer  of the sockets; None: the system's
    greet           called with each new socket; what it returns decides: True: read, False: it is
                    dealt with (closed, ...) by greet
    """

    def __init__(self, elements, max_octets=65535, *, host='127.0.0.1', port=0, tls=None,
                 receive_buffer=None, greet=None, **rules):
        rules.setdefault('transport', 'tls' if tls else 'tcp')
        super().__init__(ipfix_validator.Validator(elements, max_octets, **rules))
        self.host, self.port = host, port
        self.tls, self.receive_buffer = tls, receive_buffer
        self.greet = greet or (lambda connection: True)
        self.refusals = []  # failed handshakes
        self.accepted = 0
        self.reading = threading.Event()
        self.reading.set()
        self._stopping = threading.Event()
        self._command = None  # 'reset' or 'close' the connection
        self._restarted = False
        self._thread = None
        self.listen()

    @property
    def url(self):
        return f'{"tls" if self.tls else "tcp"}://{place(self.host, self.port)}'

    def listen(self):
        self._listener = socket.socket(family_of(self.host))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        self._listener.bind((self.host, self.port))
        self._listener.listen()
        self._listener.settimeout(TICK)
        self.port = self._listener.getsockname()[1]
        self._stopping.clear()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def die(self):
        """Closes connection and listener, as a process that is killed."""
        self._stopping.set()
        self._thread.join()

    def reset(self):
        self._command = 'reset'

    def close(self):
        self._command = 'close'

    def exporter_restarts(self):
        """The next session is that of a new process."""
        self._restarted = True

    def wait_for_session(self, count, seconds=20):
        self._wait(lambda: len(self.sessions) >= count, seconds, f'{count} sessions')

    def wait_for_end(self, seconds=20):
        self._wait(lambda: self.sessions and self.sessions[-1].end, seconds, 'the end of a session')

    def wait_for_records(self, count, seconds=20):
        def is_there():
            self.receive_all()
            return len(self.records) >= count
        self._wait(is_there, seconds, f'{count} records')

    def _wait(self, is_true, seconds, what):
        deadline = time.monotonic() + seconds
        while not is_true():
            programs.check(time.monotonic() < deadline, f'no {what} within {seconds} s, but '
                           f'{len(self.sessions)} sessions, {len(self.records)} records')
            time.sleep(TICK)

    def _serve(self):
        with self._listener:
            while not self._stopping.is_set():
                try:
                    connection, _ = self._listener.accept()
                except TimeoutError:
                    continue
                self.accepted += 1
                try:
                    if self.greet(connection):
                        self._converse(connection)
                finally:
                    connection.close()

    def _converse(self, connection):
        if self.tls:
            connection.settimeout(5)
            try:
                connection = self.tls.wrap_socket(connection, server_side=True,
                                                  suppress_ragged_eofs=False)
            except (OSError, ssl.SSLError) as error:
                self.refusals.append(str(error))
                return
        session = Session(begins_exporter=self._restarted)
        self._restarted = False
        self._command = None
        self.sessions.append(session)
        connection.settimeout(TICK)
        with connection:
            session.end = self._take(connection, session)

    def _take(self, connection, session):
        while True:
            if self._stopping.is_set() or self._command:
                if self._command == 'reset':
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
                return 'ours'
            if not self.reading.wait(TICK):
                continue
            try:
                octets = connection.recv(65536)
            except TimeoutError:
                continue
            except ssl.SSLEOFError:
                return 'cut'
            except ConnectionResetError:
                return 'reset'
            if not octets:
                return 'closed'
            session.chunks.append((time.time(), octets))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.die()


class PipeReceiver(Sessions):
    """A collector whose octets another program brings on its standard output (openssl s_server)."""

    def __init__(self, elements, pipe, max_octets=65535, **rules):
        super().__init__(ipfix_validator.Validator(elements, max_octets, **rules))
        self._pipe = pipe
        self.sessions.append(Session())
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        session = self.sessions[0]
        while octets := self._pipe.read1(65536):
            session.chunks.append((time.time(), octets))
        session.end = 'closed'

    def join(self, seconds=5):
        """After the other program has ended."""
        self._thread.join(seconds)
        programs.check(not self._thread.is_alive(), 'the other program does not end')


class FileReceiver(Sessions):
    """The finished IPFIX files (RFC 5655) of a directory, in the order of their names; each is a
    session."""

    def __init__(self, elements, directory, **rules):
        super().__init__(ipfix_validator.Validator(elements, transport='file', **rules))
        self.directory = directory
        self._read = set()

    @property
    def url(self):
        return f'file:{self.directory}'

    def files(self):
        return sorted(p for p in self.directory.iterdir()
                      if not p.name.startswith('.') and not p.name.endswith('.lock'))

    def receive_all(self):
        for path in self.files():
            if path.name not in self._read:
                self._read.add(path.name)
                self.sessions.append(Session([(time.time(), self.read(path))], 'closed'))
        super().receive_all()

    @staticmethod
    def read(path):
        if path.suffix == '.gz':
            return gzip.decompress(path.read_bytes())
        if path.suffix == '.zst':
            return subprocess.run(['zstd', '-dcq', path], check=True, capture_output=True).stdout
        return path.read_bytes()

