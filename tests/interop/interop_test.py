# SPDX-License-Identifier: MIT
"""What other programs make of our export, set up as docs/collectors.md says.

interop_test.py SOCKFLOW CACHE rules|document|READER [PROFILE ...]
    READER   a file of readers/; without PROFILE, each profile that is meant for it
    CACHE    folder of the programs that Debian does not have (fetch.py)
With SOCKFLOW_WRITE_SCREENS=1 what the programs show is written to the document.
"""
import collections
import importlib
import pathlib
import re
import socket
import sys
import tempfile

import export
from case import Case
from document import Document
from export import ANTREA, NTOP, PROCESS_NAME, REPLY, REQUEST, REVERSE, programs
from programs import check

FLOW_CREATED, FLOW_DELETED = 1, 2
CLOCK_SECONDS = 0.02
SOURCES = pathlib.Path(__file__).resolve().parents[2]
# Beside IANA's elements; the reverse of counters is in ends only.
ENTERPRISES = {'process': {NTOP}, 'iana': set(), 'fixed': set(), 'full': {NTOP, ANTREA, REVERSE}}
READERS = sorted(path.stem for path in pathlib.Path(__file__).with_name('readers').glob('*.py')
                 if path.stem != '__init__')


def check_times(exported, first, last):
    check(exported.begin - CLOCK_SECONDS <= first <= last <= exported.end + CLOCK_SECONDS,
          f'{first} to {last} is not within {exported.begin} to {exported.end}')


def check_events(profile, events):
    """Of both sockets of a session over each IP version: one start, one end."""
    expected = {(version, direction, event): 1 for version in (4, 6) for direction in (0, 1)
                for event in (FLOW_CREATED, FLOW_DELETED)}
    check(events == expected, f'{profile}: {events}')


# --- the rules of RFC 7011, by octets ---

def test_rules(sockflow, profile):
    exported = export.export(sockflow, profile)  # refuses what breaks a rule
    events = collections.Counter()
    sessions = collections.defaultdict(set)
    for record in exported.records:
        version = record.number(60)
        events[version, record.number(61), record.number(233)] += 1
        sessions[record.number(148)].add((record.number(152), record.number(61)))
        check_times(exported, record.number(152) / 1000, record.number(153) / 1000)
        loopback = '127.0.0.1' if version == 4 else '::1'
        family, ids = (socket.AF_INET, (8, 12)) if version == 4 else (socket.AF_INET6, (27, 28))
        check(all(socket.inet_ntop(family, record.values[0, i]) == loopback for i in ids),
              f'addresses of {record}')
        check((record.text(96), record.text(371)) == (PROCESS_NAME, 'root'), f'owner of {record}')
        if record.number(233) == FLOW_CREATED:
            allowed = ENTERPRISES[profile] - {REVERSE}
            check(record.number(152) == record.number(153) and record.number(231) is None,
                  f'a start with more than that: {record}')
        else:
            allowed = ENTERPRISES[profile]
            check((record.number(231), record.number(232)) == (REQUEST, REPLY),
                  f'octets of {record}')
        enterprises = {pen for pen, _ in record.values}
        check(enterprises == {0} | allowed, f'{enterprises}')
        if NTOP in allowed:
            pid, name = (168, 169) if record.number(61) == 1 else (375, 376)
            check(record.number(pid, NTOP) == exported.sessions.pid and
                  record.text(name, NTOP) == PROCESS_NAME, f'process of {record}')
    check_events(profile, events)
    check(len(sessions) == 4 and all(len(facts) == 1 for facts in sessions.values()),
          f'start time or direction changes within a flow: {sessions}')


# --- what the document shows, and who is read ---

def test_document(document):
    for kind in ('file', 'command', 'screen'):
        for name in document.names(kind):
            document.block(f'{kind}: {name}')
    check(set(document.names('screen')) <= set(READERS), f'screens of others than {READERS}')
    setups = {f'sockflow for {name}': name for name in READERS}
    for setup, name in setups.items():
        profile = importlib.import_module(f'readers.{name}').PROFILES[0]
        check(f'profile: {profile}\n' in document.block(f'file: {setup}'),
              f'{document.path}: {name} is to read the profile {profile}')
    check_that_all_is_run(document, setups)


def check_that_all_is_run(document, setups):
    """No block of what is tested is only words."""
    sources = ''.join(path.read_text(encoding='utf-8') for path in
                      pathlib.Path(__file__).with_name('readers').glob('*.py'))
    for name in document.names('file') + document.names('command'):
        check(name in setups or name in READERS or f"'{name}'" in sources,
              f'{document.path}: no test runs "{name}"')
    tested = document.path.read_text(encoding='utf-8').partition('\n## Not tested here\n')[0]
    blocks = sum(len(document.names(kind)) for kind in ('file', 'command', 'screen'))
    check(len(re.findall('(?m)^```', tested)) == 2 * blocks,
          f'{document.path}: a block is not between comments that name it for a test')


def run(name, profiles, document):
    reader = importlib.import_module(f'readers.{name}') if name in READERS else None
    with tempfile.TemporaryDirectory() as folder:
        sockflow = programs.Sockflow(sys.argv[1], pathlib.Path(folder))
        sockflow.skip_unless_it_captures()
        for profile in profiles or (reader.PROFILES if reader else ENTERPRISES):
            try:
                if reader:
                    reader.test(Case(name, sockflow, profile, document, sys.argv[2],
                                     SOURCES.parent / 'shared'))
                else:
                    test_rules(sockflow, profile)
            except (programs.Failure, export.ipfix_validator.Violation) as failure:
                raise programs.Failure(f'{profile}: {failure}') from None
            print(f'{profile}: ok')


def main():
    name, profiles = sys.argv[3], sys.argv[4:]
    document = Document(SOURCES / 'docs' / 'collectors.md')
    try:
        if name == 'document':
            test_document(document)
        else:
            run(name, profiles, document)
    except programs.Failure as failure:
        sys.exit(f'FAILED: {failure}')


if __name__ == '__main__':
    main()
