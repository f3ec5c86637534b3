# SPDX-License-Identifier: MIT
"""What other programs make of sessions with updates, beyond 4 GiB: each record as it is, so that sums are
right.

updates_test.py SOCKFLOW CACHE SESSION_MESSAGES rules|READER
    rules    the validator reads every profile, and sums
    READER   a file of readers/, with each profile that is meant for it
"""
import collections
import importlib
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

import export
from case import Case
from document import Document
from export import ipfix_validator, programs
from interop_test import SOURCES
from programs import check

PEN = 32473
PROFILES = ('process', 'iana', 'fixed', 'full')
# To the responder and back, until the next record; the last until the end.
STEPS = ((5 << 30, 7), (1, 6 << 30), (12345, 6789))
SECONDS_BETWEEN = 1
SOCKETS = 4
PORTS = ((40004, 80), (40006, 80))
START, END, UPDATE = 1, 2, 5


class UpdatesCase(Case):
    """The same readers, of another export."""

    def __init__(self, program, *arguments):
        super().__init__(*arguments)
        self.program = program
        self.records = SOCKETS * (1 + len(STEPS))
        length = SECONDS_BETWEEN * len(STEPS)
        begin = int(time.time()) - length
        self.sessions = export.Sessions(4711, export.INTERPRETER, list(PORTS), begin, begin + length)
        self._steps = collections.Counter()  # by flow

    def messages(self, profile, pen=0):
        stream = subprocess.run(
            [self.program, profile, str(pen), str(self.sessions.begin * 1000), str(self.sessions.pid),
             str(os.getpid()), export.PROCESS_NAME, export.PARENT_NAME, self.sessions.executable,
             *(f'{sent}:{received}' for sent, received in STEPS)],
            check=True, capture_output=True, timeout=export.TIMEOUT).stdout
        return ipfix_validator.MessageStream().feed(stream)

    def validated(self, profile, pen=0):
        validator = ipfix_validator.Validator(self.elements, 1400, pen=pen)
        records = [record for message in self.messages(profile, pen)
                   for record in validator.feed(message)]
        validator.end_session()
        return records

    def export(self, collector=None):
        self._known = [self._know(record) for record in self.validated('process')]
        messages = self.messages(self.profile)
        if collector is None:
            return export.Export(4739, messages, self.sessions)
        url = urllib.parse.urlsplit(collector)
        kind = socket.SOCK_DGRAM if url.scheme == 'udp' else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as sender:
            sender.connect((url.hostname, url.port))
            for message in messages:
                sender.sendall(message)
        return None

    def carried(self, record):
        if record.number(233) == START:
            return 0, 0
        step = self._steps[record.number(148)]
        self._steps[record.number(148)] += 1
        return STEPS[step]

    def screen(self, shown):
        """The document shows sessions without updates."""


def test_rules(case):
    for profile, pen in [(name, 0) for name in PROFILES] + [('full', PEN)]:
        records = case.validated(profile, pen)
        check(len(records) == case.records, f'{profile}: {len(records)} records')
        sums = collections.Counter()
        for record in records:
            if record.number(233) == START:
                continue
            flow = record.number(148)
            for id in (1, 2, 231, 232, 298, 299):
                sums[flow, id] += record.number(id)
            if profile != 'full':
                continue
            # Totals are the sums so far; forward and back.
            for delta, total, pen_of in ((1, 85, 0), (2, 86, 0), (1, 85, 29305), (2, 86, 29305)):
                sums[flow, delta, pen_of] += record.number(delta, pen_of)
                check(record.number(total, pen_of) == sums[flow, delta, pen_of],
                      f'{profile}: {pen_of}/{total} is {record.number(total, pen_of)}, deltas add up to '
                      f'{sums[flow, delta, pen_of]}')
        for flow in {record.number(148) for record in records}:
            for id, way in ((231, 0), (232, 1)):
                wanted = sum(step[way] for step in STEPS)
                check(sums[flow, id] == wanted, f'{profile}: {id} adds up to {sums[flow, id]} of {wanted}')
        print(f'{profile}{" with own elements" if pen else ""}: ok')


def main():
    _, binary, cache, program, name = sys.argv
    reader = None if name == 'rules' else importlib.import_module(f'readers.{name}')
    with tempfile.TemporaryDirectory() as folder:
        sockflow = programs.Sockflow(binary, pathlib.Path(folder))
        document = Document(SOURCES / 'docs' / 'collectors.md')
        try:
            for profile in reader.PROFILES if reader else ('process',):
                case = UpdatesCase(program, name, sockflow, profile, document, cache,
                                   SOURCES.parent / 'shared')
                if reader is None:
                    test_rules(case)
                else:
                    reader.test(case)
                    print(f'{profile}: ok')
        except (programs.Failure, ipfix_validator.Violation) as failure:
            sys.exit(f'FAILED: {failure}')


if __name__ == '__main__':
    main()
