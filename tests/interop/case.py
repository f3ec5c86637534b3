# SPDX-License-Identifier: MIT
"""One program that reads one profile: runs the agent for it and compares what it has read."""
import collections
import contextlib
import datetime
import functools
import os
import re
import subprocess
import time

import export
from export import PARENT_NAME, PROCESS_NAME, Receiver, programs
from programs import check

COLLECTOR = r'\w+://192\.0\.2\.10:4739'  # in the document
FLOW_CREATED = 1
CLOCK_SECONDS = 0.02
# Without options a TCP header has 20 octets, as an IPv4 header; an IPv6 header has 40.
SMALLEST_HEADERS = {4: 40, 6: 60}


class _Datagrams(Receiver):
    """Of a profile that is no valid IPFIX."""

    def __init__(self):
        super().__init__({})
        self.validator.feed = lambda *_: []


def milliseconds(text, form):
    """Since 1970, of a time in UTC."""
    parsed = datetime.datetime.strptime(text, form).replace(tzinfo=datetime.timezone.utc)
    return round(parsed.timestamp() * 1000)


def _listener(port):
    """Of who listens at a port: octets that wait to be read, datagrams that found no room; None
    when nobody does."""
    for table in ('/proc/net/udp', '/proc/net/udp6'):
        with open(table, encoding='ascii') as lines:
            for line in list(lines)[1:]:
                fields = line.split()
                if int(fields[1].rpartition(':')[2], 16) == port:
                    return int(fields[4].rpartition(':')[2], 16), int(fields[-1])
    return None


def wait_until(condition, what, seconds=export.TIMEOUT):
    """Polls a program that cannot tell; returns the first result that is true."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        check(time.monotonic() < deadline, f'{what}: not within {seconds} s')
        time.sleep(0.02)
    return result


class Case:
    def __init__(self, name, sockflow, profile, document, cache, shared):
        self.name = name
        self.sockflow = sockflow
        self.profile = profile
        self.document = document
        self.cache = cache  # folder of programs that fetch.py gets
        self.shared = shared  # foreign messages, where they are at hand
        self.folder = sockflow.folder / f'{name}-{profile}'
        self.folder.mkdir()
        self.port = programs.free_udp_port()
        self.sessions = None
        self.records = 8  # a start and an end of both sockets of each session
        self._known = []

    # --- the agent ---

    @functools.cached_property
    def elements(self):
        return export.read_elements(self.sockflow)

    def _config(self, collector, truth):
        """What the document says, for one collector; what is compared with goes to another."""
        config = self.document.block(f'file: sockflow for {self.name}')
        for said, meant in ((COLLECTOR, collector), (r'(?<=profile: )\w+', self.profile),
                            (r'(?m)^collectors:$',
                             f'collectors:\n  - url: {truth}\n    profile: process')):
            config, replaced = re.subn(said, meant, config)
            check(replaced == 1, f'sockflow for {self.name}: {replaced} times "{said}"')
        return export.ONLY_KNOWN_SESSIONS + config

    def export(self, collector=None):
        """Runs the agent; returns the messages of the profile unless another collector gets
        them."""
        with contextlib.ExitStack() as stack:
            truth = stack.enter_context(Receiver(self.elements))
            messages = None
            if collector is None:
                messages = stack.enter_context(
                    _Datagrams() if self.profile == 'ssflow' else Receiver(self.elements))
                collector = messages.url
            agent = stack.enter_context(
                self.sockflow.agent(config=self._config(collector, truth.url)))
            with export.known_sessions() as self.sessions:
                agent.stop()
            truth.finish()
            self._known = [self._know(r) for r in export.records_of(truth, self.sessions)]
            if messages is None:
                return None
            messages.finish()
            return export.Export(messages.socket.getsockname()[1],
                                 [m for m, _ in messages.messages], self.sessions)

    def _know(self, record):
        """By element, except where nobody but the test knows: the process."""
        counts = record.number(233) != FLOW_CREATED
        to_responder, to_initiator = self.carried(record)
        is_client = record.number(61) == 1
        source, destination = export.ADDRESSES[record.number(60)]
        known = {name: record.number(id) or 0 for name, id in {
            'flow_id': 148, 'event': 233, 'direction': 61, 'protocol': 4, 'flags': 6,
            'source_port': 7, 'destination_port': 11, 'start': 152, 'end': 153, 'reason': 136,
            'octets': 1, 'packets': 2, 'initiator_packets': 298,
            'responder_packets': 299}.items()}
        check(self.sessions.begin - CLOCK_SECONDS <= known['start'] / 1000 <= known['end'] / 1000
              <= self.sessions.end + CLOCK_SECONDS, f'{known} is not within {self.sessions}')
        packets = known['packets']
        least = to_responder + packets * SMALLEST_HEADERS[record.number(60)]
        check(least <= known['octets'] <= 2 * least and bool(packets) == counts,
              f'{known["octets"]} octets in {packets} packets')
        known['seconds'] = known['end'] // 1000  # of the event
        process = {'pid': self.sessions.pid, 'process': PROCESS_NAME, 'uid': 0, 'owner': 'root',
                   'executable': self.sessions.executable, 'parent': PARENT_NAME,
                   'parent_pid': os.getpid()}
        nobody = {name: type(value)() for name, value in process.items()}
        sides = (process, nobody) if is_client else (nobody, process)
        return {**known, 'source': source, 'destination': destination,
                'application': PROCESS_NAME, 'user': 'root',
                'initiator_octets': to_responder, 'responder_octets': to_initiator,
                **{f'{side}_{name}': value for side, facts in zip(('source', 'destination'), sides)
                   for name, value in facts.items()}}

    def carried(self, record):
        """Octets that the record has to count, to the responder and back."""
        is_start = record.number(233) == FLOW_CREATED
        return (0, 0) if is_start else (export.REQUEST, export.REPLY)

    # --- the other program ---

    @property
    def url(self):
        return f'udp://127.0.0.1:{self.port}'

    def command(self, what, replacements=()):
        return self.document.command(what, replacements)

    def file(self, name, replacements=()):
        """Writes a file of the document; returns its path."""
        path = self.folder / name
        path.write_text(self.document.block(f'file: {name}', replacements), encoding='utf-8')
        return path

    @contextlib.contextmanager
    def collector(self, arguments, **options):
        """A program that listens at the port until the block ends; its log if it does not."""
        log = self.folder / 'log'
        with open(log, 'wb') as output:
            process = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.DEVNULL,
                                       stdout=output, stderr=subprocess.STDOUT, cwd=self.folder,
                                       **options)
        try:
            wait_until(lambda: process.poll() is not None or _listener(self.port),
                       f'{arguments[0]} does not listen')
            check(process.poll() is None, f'{arguments[0]} has ended')
            yield process
        except programs.Failure as failure:
            lost = _listener(self.port) or (0, 0)
            raise programs.Failure(f'{failure}\nlost in the receive buffer: {lost[1]} datagrams\n'
                                   f'{log.read_text(errors="replace")}') from None
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def wait_until_read(self):
        wait_until(lambda: _listener(self.port)[0] == 0, 'datagrams wait to be read')

    def stop(self, process, signal_number):
        """Ends a collector in order."""
        process.send_signal(signal_number)
        check(process.wait(export.TIMEOUT) == 0, f'exit status {process.returncode}')

    def run(self, arguments, **options):
        """Standard output."""
        done = subprocess.run([str(a) for a in arguments], capture_output=True, cwd=self.folder,
                              timeout=export.TIMEOUT, **options)
        check(done.returncode == 0, f'{arguments[0]}: {done.stderr.decode(errors="replace")}')
        return done.stdout.decode('utf-8')

    # --- what it has read ---

    def is_known(self, source_port, destination_port):
        return (int(source_port), int(destination_port)) in self.sessions.ports

    def compare(self, seen, which=lambda known: True):
        """Each a dictionary of what the program shows of a record; all the records, nothing
        else."""
        known = [k for k in self._known if which(k)]
        check(len(seen) == len(known),
              f'{len(seen)} records of the known sessions, expected {len(known)}')
        keys = seen[0].keys()
        check(all(s.keys() == keys for s in seen), f'not the same keys: {seen}')
        expected = collections.Counter(tuple(k[key] for key in keys) for k in known)
        got = collections.Counter(tuple(s[key] for key in keys) for s in seen)
        check(got == expected, f'{tuple(keys)}:\nread     {sorted((got - expected).elements())}\n'
              f'expected {sorted((expected - got).elements())}')

    @functools.cached_property
    def shown_session(self):
        """Ports of the session that screens show: that over IPv4."""
        return self.sessions.ports[0]

    def screen(self, shown):
        """Of the first profile that the program reads; what it shows of one session."""
        self.document.screen(self.name, shown)

