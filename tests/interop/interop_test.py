# SPDX-License-Identifier: MIT
"""What other programs make of our export.

interop_test.py SOCKFLOW rules|tshark|nfdump
"""
import collections
import datetime
import errno
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import export
from export import PROCESS_NAME, REPLY, REQUEST, programs
from programs import check

NTOP = 35632
FLOW_CREATED, FLOW_DELETED = 1, 2
CLOCK_SECONDS = 0.02
# Without options a TCP header has 20 octets, as an IPv4 header; an IPv6 header has 40.
SMALLEST_HEADERS = {4: 40, 6: 60}
TIMEOUT = 30


def need(program, package):
    if shutil.which(program) is None:
        programs.skip(f'{program} is not there: apt-get install --no-install-recommends {package}')


def seconds_of(text, form):
    parsed = datetime.datetime.strptime(text, form).replace(tzinfo=datetime.timezone.utc)
    return parsed.timestamp()


def check_times(exported, first, last):
    check(exported.begin - CLOCK_SECONDS <= first <= last <= exported.end + CLOCK_SECONDS,
          f'{first} to {last} is not within {exported.begin} to {exported.end}')


def check_events(profile, events):
    """Of both sockets of a session over each IP version: one start, one end."""
    expected = {(version, direction, event): 1 for version in (4, 6) for direction in (0, 1)
                for event in (FLOW_CREATED, FLOW_DELETED)}
    check(events == expected, f'{profile}: {events}')


def ports_of(exported):
    return {(r.number(7), r.number(11)) for r in exported.records}


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
            check(record.number(152) == record.number(153) and record.number(231) is None,
                  f'a start with more than that: {record}')
        else:
            check((record.number(231), record.number(232)) == (REQUEST, REPLY),
                  f'octets of {record}')
        enterprises = {pen for pen, _ in record.values}
        check(enterprises == ({0, NTOP} if profile == 'process' else {0}), f'{enterprises}')
        if profile == 'process':
            pid, name = (168, 169) if record.number(61) == 1 else (375, 376)
            check(record.number(pid, NTOP) == os.getpid() and
                  record.text(name, NTOP) == PROCESS_NAME, f'process of {record}')
    check_events(profile, events)
    check(len(sessions) == 4 and all(len(facts) == 1 for facts in sessions.values()),
          f'start time or direction changes within a flow: {sessions}')


# --- tshark ---

def find_all(node, wanted):
    """Every object in the JSON for which `wanted` holds."""
    if isinstance(node, dict):
        if wanted(node):
            yield node
        for value in node.values():
            yield from find_all(value, wanted)
    elif isinstance(node, list):
        for value in node:
            yield from find_all(value, wanted)


def run_tshark(capture, port, *arguments):
    done = subprocess.run(['tshark', '-n', '-r', capture, '-d', f'udp.port=={port},cflow',
                           *arguments],
                          capture_output=True, timeout=TIMEOUT,
                          env={**os.environ, 'TZ': 'UTC', 'LC_ALL': 'C.UTF-8'})
    check(done.returncode == 0, f'tshark: {done.stderr.decode()}')
    return done.stdout.decode('utf-8')


def test_tshark(sockflow, profile):
    need('tshark', 'tshark')
    exported = export.export(sockflow, profile)
    capture = sockflow.folder / f'{profile}.pcap'
    export.write_pcap(exported, capture)
    packets = json.loads(run_tshark(capture, exported.port, '-T', 'json'))
    check(len(packets) == len(exported.messages), f'{len(packets)} packets')
    for word in ('_ws.malformed', '_ws.expert'):
        bad = list(find_all(packets, lambda node, word=word: word in node))
        check(not bad, f'{word}: {bad[:1]}')
    shown = run_tshark(capture, exported.port, '-V')
    for word in ('No template found', 'Malformed', 'Expert Info'):
        check(word not in shown, f'tshark says "{word}"')
    for word in ('Flow created (1)', 'Flow deleted (2)'):
        check(shown.count(word) >= 4, f'tshark says "{word}" {shown.count(word)} times')
    templates = list(find_all(packets, lambda node: 'cflow.template_id' in node))
    check(len(templates) >= 4, f'{len(templates)} templates')

    events = collections.Counter()
    for flow in find_all(packets, lambda node: 'cflow.flow_id' in node):
        if (int(flow['cflow.srcport']), int(flow['cflow.dstport'])) not in ports_of(exported):
            continue
        version, direction = int(flow['cflow.ip_version']), int(flow['cflow.direction'])
        event = int(flow['cflow.firewall_event'])
        events[version, direction, event] += 1
        suffix, loopback = ('', '127.0.0.1') if version == 4 else ('v6', '::1')
        expected = {f'cflow.srcaddr{suffix}': loopback, f'cflow.dstaddr{suffix}': loopback,
                    'cflow.protocol': '6', 'cflow.biflow_direction': '1',
                    'cflow.appl_name': PROCESS_NAME, 'cflow.user_name': 'root'}
        if profile == 'process':
            side, pid = ('src', 'proc_id') if direction == 1 else ('dst', 'proc_pid')
            expected |= {f'cflow.pie.ntop.{side}_proc_name': PROCESS_NAME,
                         f'cflow.pie.ntop.{side}_{pid}': str(os.getpid()),
                         f'cflow.pie.ntop.{side}_proc_uid': '0',
                         f'cflow.pie.ntop.{side}_proc_user_name': 'root'}
        if event == FLOW_DELETED:
            expected |= {'cflow.initiator_octets': str(REQUEST),
                         'cflow.responder_octets': str(REPLY), 'cflow.flow_end_reason': '3'}
        wrong = {key: flow.get(key) for key, value in expected.items() if flow.get(key) != value}
        check(not wrong, f'{wrong}, expected {expected}')
        # "Nov 21, 2026 10:35:50.111000000 UTC"; strptime knows six digits of a second.
        times = [seconds_of(flow['cflow.timedelta_tree'][f'cflow.abstime{which}'][:-len('000 UTC')],
                            '%b %d, %Y %H:%M:%S.%f') for which in ('start', 'end')]
        check_times(exported, *times)
    check_events(profile, events)


# --- nfdump ---

def wait_until_bound(process, port):
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(('127.0.0.1', port))
            except OSError as error:
                check(error.errno == errno.EADDRINUSE, f'bind: {error}')
                return
        time.sleep(0.02)
    raise programs.Failure('nfcapd does not listen')


def store(messages, folder):
    """Gives the messages to nfcapd."""
    port = programs.free_udp_port()
    # Longer than the test: one file, written at the end.
    nfcapd = subprocess.Popen(['nfcapd', '-b', '127.0.0.1', '-p', str(port), '-w', folder,
                               '-t', '3600'],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        wait_until_bound(nfcapd, port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for message in messages:
                sender.sendto(message, ('127.0.0.1', port))
        # What has come it reads before it looks at the signal, but it must have woken up.
        time.sleep(0.5)
        nfcapd.terminate()
        said = nfcapd.communicate(timeout=TIMEOUT)[0].decode()
    finally:
        if nfcapd.poll() is None:
            nfcapd.kill()
            nfcapd.wait()
    check(nfcapd.returncode == 0, f'nfcapd: {said}')


def test_nfdump(sockflow, profile):
    need('nfcapd', 'nfdump')
    need('nfdump', 'nfdump')
    exported = export.export(sockflow, profile)
    folder = sockflow.folder / f'nfdump-{profile}'
    folder.mkdir()
    store(exported.messages, folder)
    done = subprocess.run(['nfdump', '-R', folder, '-o', 'json'], capture_output=True,
                          timeout=TIMEOUT, env={**os.environ, 'TZ': 'UTC'})
    check(done.returncode == 0, f'nfdump: {done.stderr.decode()}')
    events = collections.Counter()
    stored = collections.Counter()
    for flow in json.loads(done.stdout):
        if (flow['src_port'], flow['dst_port']) not in ports_of(exported):
            continue
        version = 4 if 'src4_addr' in flow else 6
        loopback = '127.0.0.1' if version == 4 else '::1'
        check(flow['proto'] == 6 and flow[f'src{version}_addr'] == loopback and
              flow[f'dst{version}_addr'] == loopback, f'tuple of {flow}')
        times = [seconds_of(flow[which], '%Y-%m-%dT%H:%M:%S.%f') for which in ('first', 'last')]
        check_times(exported, *times)
        octets, packets = flow['in_bytes'], flow['in_packets']
        event = FLOW_DELETED if packets else FLOW_CREATED
        least = REQUEST + packets * SMALLEST_HEADERS[version] if packets else 0
        check(least <= octets <= 2 * least, f'{octets} octets in {packets} packets')
        events[version, flow['direction'], event] += 1
        stored[tuple(round(t * 1000) for t in times) + (octets, packets)] += 1
    check_events(profile, events)
    # All as we sent it.
    ours = collections.Counter((r.number(152), r.number(153), r.number(1) or 0, r.number(2) or 0)
                               for r in exported.records)
    check(stored == ours, f'nfdump has {stored}, sent was {ours}')


def main():
    test = {'rules': test_rules, 'tshark': test_tshark, 'nfdump': test_nfdump}[sys.argv[2]]
    with tempfile.TemporaryDirectory() as folder:
        sockflow = programs.Sockflow(sys.argv[1], pathlib.Path(folder))
        sockflow.skip_unless_it_captures()
        for profile in ('process', 'iana'):
            try:
                test(sockflow, profile)
            except (programs.Failure, export.ipfix_validator.Violation) as failure:
                sys.exit(f'{profile}: FAILED: {failure}')
            print(f'{profile}: ok')


if __name__ == '__main__':
    main()
