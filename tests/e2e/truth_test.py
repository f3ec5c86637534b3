# SPDX-License-Identifier: MIT
"""Agent and collector against the truth: every session of session_maker, once, with all its facts.

truth_test.py SOCKFLOW SESSION_MAKER WIRE_WATCH
"""
import collections
import datetime
import json
import pathlib
import pwd
import re
import subprocess
import sys
import tempfile
import time

import programs
import wire_truth
from programs import check

SESSIONS, PER_SECOND = 2160, programs.SESSIONS_PER_SECOND
MAKER_SECONDS = 60 * 200 // PER_SECOND
# What the two clocks may differ by: the kernel's monotonic one is mapped to the wall clock.
CLOCK_MS = 20
FLOW_CREATED, FLOW_DELETED = 1, 2
EGRESS, INGRESS = 1, 0
SHOWN_MISTAKES = 20
WIDTH = 10  # of a column
# Without hooks in the kernel (tier pcap) an owner, or its user, may stay unknown: of processes that die at once, and of a
# prefork worker whose session the peer resets. Of all others few do, and never is one wrong.
NO_PID, NO_UID = 0, 0xffffffff
MAY_BE_UNKNOWN = programs.IS_PCAP
OFTEN_UNKNOWN = ('killed_client/active', 'killed_server/passive', 'prefork_client_resets/passive')
LEAST_KNOWN = 0.98


def milliseconds(text):
    return datetime.datetime.fromisoformat(text.replace('Z', '+00:00')).timestamp() * 1000


def user_name(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def tuple_of_truth(truth):
    here, there = (truth['local'], truth['local_port']), (truth['remote'], truth['remote_port'])
    direction = truth['direction']
    return (direction, *here, *there) if direction == 'active' else (direction, *there, *here)


def tuple_of_record(record):
    version = record['ipVersion']
    return ('active' if record['flowDirection'] == EGRESS else 'passive',
            record[f'sourceIPv{version}Address'], record['sourceTransportPort'],
            record[f'destinationIPv{version}Address'], record['destinationTransportPort'])


class Comparison:
    COLUMNS = ('sessions', 'starts', 'ends', 'name', 'pid', 'user', 'tuple', 'times', 'octets', 'payload',
               'sent', 'received', 'again', 'reason', 'first', 'endReason', 'flags', 'rtt', 'handshake')

    def __init__(self, begin_ms, end_ms, wire):
        self.begin_ms, self.end_ms = begin_ms, end_ms
        self.wire = wire  # (source, port, destination, port) -> what was seen of its sessions, in their order
        self.good = collections.defaultdict(collections.Counter)   # kind -> column -> count
        self.asked = collections.defaultdict(collections.Counter)
        self.unknown = collections.Counter()  # (kind, column) -> records
        self.excused = collections.Counter()  # (why, column) -> records
        self.mistakes = []
        self.wrong = set()     # sockets that these are about
        self.excusable = True  # and none of them is what any host must tell

    def note_owner(self, truth, column, is_good, is_unknown, record):
        if is_unknown and MAY_BE_UNKNOWN:
            self.asked[f"{truth['kind']}/{truth['direction']}"][column] += 1
            self.unknown[f"{truth['kind']}/{truth['direction']}", column] += 1
            return
        self.note(truth, column, is_good, record)

    def note(self, truth, column, is_good, detail, excuse=''):
        kind = f"{truth['kind']}/{truth['direction']}"
        self.asked[kind][column] += 1
        self.good[kind][column] += is_good
        if not is_good and excuse:
            self.excused[excuse, column] += 1
        elif not is_good:
            self.mistakes.append(f'{column}: {detail}\n    truth {truth}')
            self.wrong.add(id(truth))
            self.excusable &= wire_truth.may_be_untold(truth, column)

    def note_stranger(self, flow):
        self.excusable &= flow[-1].get('sessionCloseReason') == 'not-seen'
        self.mistakes.append(f'a session that was never made: {flow}')
        self.wrong.add(id(flow))

    def compare(self, truth, flow, seen):
        """`seen`: the same session on the wire."""
        kinds = [record['firewallEvent'] for record in flow]
        self.note(truth, 'sessions', True, '')
        self.note(truth, 'starts', kinds.count(FLOW_CREATED) == 1 and kinds[0] == FLOW_CREATED,
                  f'events {kinds}')
        # No TCP segment says that nobody waits for an answer any more: minutes later it is over.
        if truth['kind'] in ('timed_out', 'network_error') and MAY_BE_UNKNOWN:
            return
        self.note(truth, 'ends', kinds.count(FLOW_DELETED) == 1 and kinds[-1] == FLOW_DELETED,
                  f'events {kinds}')
        if kinds != [FLOW_CREATED, FLOW_DELETED]:
            return
        prefix = 'SRC' if truth['direction'] == 'active' else 'DST'
        for record in flow:
            def is_said(**facts):
                return all(record.get(key) == value for key, value in facts.items())
            name, user = truth['name'], user_name(truth['uid'])
            unknown = is_said(**{f'{prefix}_PROC_PID': NO_PID})
            no_user = is_said(userName='', **{f'{prefix}_PROC_UID': NO_UID})
            self.note_owner(truth, 'name', is_said(applicationName=name,
                                                   **{f'{prefix}_PROC_NAME': name}),
                            unknown and is_said(applicationName=''), record)
            self.note_owner(truth, 'pid', is_said(**{f'{prefix}_PROC_PID': truth['pid']}), unknown,
                            record)
            self.note_owner(truth, 'user', is_said(userName=user,
                                                   **{f'{prefix}_PROC_UID': truth['uid'],
                                                      f'{prefix}_PROC_USER_NAME': user}),
                            no_user, record)
            self.note(truth, 'tuple', tuple_of_record(record) == tuple_of_truth(truth) and
                      is_said(protocolIdentifier=6, biflowDirection=1), record)
            self.compare_times(truth, record, flow[0])
        self.compare_octets(truth, *flow)
        wire_truth.compare(truth, flow[1], seen, lambda *noted: self.note(truth, *noted))

    def compare_times(self, truth, record, start_record):
        start = milliseconds(record['flowStartMilliseconds'])
        end = milliseconds(record['flowEndMilliseconds'])
        is_start = record is start_record
        self.note(truth, 'times',
                  max(truth['start_min'], self.begin_ms) - CLOCK_MS <= start <=
                  truth['start_max'] + CLOCK_MS and
                  record['flowStartMilliseconds'] == start_record['flowStartMilliseconds'] and
                  (start == end if is_start else start <= end <= self.end_ms + CLOCK_MS), record)

    def compare_octets(self, truth, start, end):
        sent, received = truth['sent'], truth['received']
        if truth['direction'] == 'passive':
            sent, received = received, sent
        said = end['initiatorOctets'], end['responderOctets']
        # What was sent and never arrived, the two programs count differently.
        is_lost = truth['kind'] == 'unanswered' and MAY_BE_UNKNOWN
        if truth['sent'] is not None and not is_lost:
            self.note(truth, 'octets',
                      said == (sent, received) and 'initiatorOctets' not in start and
                      end['octetDeltaCount'] >= sent,
                      f'{said} octets, not {(sent, received)}')

    def print_table(self):
        print(f'{"kind":32}' + ''.join(f'{column:>{WIDTH}}' for column in self.COLUMNS))
        total_good, total_asked = collections.Counter(), collections.Counter()
        for kind in sorted(self.asked):
            total_good += self.good[kind]
            total_asked += self.asked[kind]
            self.print_row(kind, self.good[kind], self.asked[kind])
        self.print_row('all', total_good, total_asked)
        for (excuse, column), count in sorted(self.excused.items()):
            print(f'{column} differs in {count} of {total_asked[column]} '
                  f'({count / total_asked[column]:.2%}): {excuse}')
            check(count <= wire_truth.MOST_EXCUSED * total_asked[column], f'{column} differs too often')
        for column in ('name', 'pid', 'user') if MAY_BE_UNKNOWN else ():
            often = sum(self.unknown[kind, column] for kind in OFTEN_UNKNOWN)
            seldom = sum(count for (_, other), count in self.unknown.items()
                         if other == column) - often
            asked = total_asked[column] - sum(self.asked[kind][column] for kind in OFTEN_UNKNOWN)
            known = 1 - seldom / asked
            print(f'{column}: {often + seldom} unknown; but for {", ".join(OFTEN_UNKNOWN)} '
                  f'{known:.2%} known')
            check(known >= LEAST_KNOWN, f'{column}: only {known:.2%} known')

    def print_row(self, name, good, asked):
        cells = [f'{asked["sessions"]:>{WIDTH}}']
        for column in self.COLUMNS[1:]:
            share = f'{100 * good[column] / asked[column]:.4g}%' if asked[column] else '-'
            cells.append(f'{share:>{WIDTH}}')
        print(f'{name:32}' + ''.join(cells))


def match(truths, flows, comparison):
    """Pairs each socket of the truth with its flow. A port may be used again: then by time."""
    flows_of = collections.defaultdict(list)
    for flow in flows.values():
        flows_of[tuple_of_record(flow[0])].append(flow)
    truths_of = collections.defaultdict(list)
    for truth in truths:
        truths_of[tuple_of_truth(truth)].append(truth)
    for key, same in truths_of.items():
        same.sort(key=lambda truth: truth['start_max'])
        found = sorted(flows_of.pop(key, []), key=lambda flow: flow[0]['flowStartMilliseconds'])
        check(len(found) <= len(same), f'{len(found)} flows for {len(same)} sessions: {found}')
        seen = comparison.wire[key[1:]]
        check(len(seen) == len(same), f'{len(seen)} sessions on the wire, not {len(same)}: {seen}')
        for i, truth in enumerate(same):
            if i < len(found):
                comparison.compare(truth, found[i], seen[i])
                continue
            for column in ('starts', 'ends'):
                comparison.note(truth, column, False, 'no record')
    # The rest is other traffic of this machine; of our processes there must be none.
    pids = {truth['pid'] for truth in truths}
    for rest in flows_of.values():
        for flow in rest:
            pid = flow[0].get('SRC_PROC_PID', flow[0].get('DST_PROC_PID'))
            if pid in pids:
                comparison.note_stranger(flow)


def run(binary, maker, watcher, folder):
    sockflow = programs.Sockflow(binary, folder)
    sockflow.skip_unless_it_captures()
    port, output, truth_file = programs.free_udp_port(), folder / 'records', folder / 'truth'
    with sockflow.collector(port, output) as collector, \
            sockflow.agent('--collector', f'udp://127.0.0.1:{port}', '--profile', 'full',
                           config='exporter: {pen: 32473}\ncapture: {count_packets: true}\n') as agent:
        print(agent.find('capture tier: .*')[0])
        begin_ms = time.time() * 1000
        with wire_truth.Watch(watcher, folder / 'wire') as watch:
            made = subprocess.run([maker, truth_file, str(SESSIONS), str(PER_SECOND)],
                                  timeout=MAKER_SECONDS)
            check(made.returncode == 0, 'the maker of sessions has failed')
        statistics = agent.stop()
        end_ms = time.time() * 1000
        summary = collector.stop()
    print(statistics, summary, sep='\n')
    seconds = (end_ms - begin_ms) / 1000

    truths = [json.loads(line) for line in truth_file.read_text(encoding='utf-8').splitlines()]
    sessions = sum(truth['direction'] == 'active' for truth in truths)
    names = {truth['name'] for truth in truths}
    check(sessions >= 2000 and len(names) >= 6 and len({truth['uid'] for truth in truths}) >= 4,
          f'the truth is too small: {sessions} sessions, {names}')
    print(f'{sessions} sessions, {len(truths)} sockets, {len(names)} process names, '
          f'{sessions / seconds:.0f} sessions/s')
    comparison = Comparison(begin_ms, end_ms, watch.sessions)
    match(truths, programs.read_flows(output), comparison)
    comparison.print_table()

    check(re.search('lost by reason: nothing', statistics) and ', lost 0 records' in statistics,
          f'the agent has lost something: {statistics}')
    for counter in ('malformed', 'sets_without_template', 'records_lost_by_sequence',
                    'datagrams_dropped_by_kernel', 'datagrams_too_long', 'lines_dropped'):
        check(re.search(fr'\b{counter}=0\b', summary), f'the collector reports {counter}')
    # Where the kernel kept the hooks from running that know an end best, less is known of that socket: the
    # agent counts that. (A session without its ports is one that is missing, and one that was never made.)
    rescued = int(re.search(r'(\d+) calls rescued', statistics)[1])
    if comparison.mistakes and comparison.excusable and len(comparison.wrong) <= 2 * rescued:
        print(f'of {len(comparison.wrong)} sockets less is known: {wire_truth.NOT_TOLD} ({rescued} calls rescued)',
              *comparison.mistakes, sep='\n')
        return
    check(not comparison.mistakes, f'{len(comparison.mistakes)} deviations:\n' +
          '\n'.join(comparison.mistakes[:SHOWN_MISTAKES]))


def main():
    with tempfile.TemporaryDirectory() as folder:
        try:
            run(*sys.argv[1:4], pathlib.Path(folder))
        except programs.Failure as failure:
            sys.exit(f'FAILED: {failure}')


if __name__ == '__main__':
    main()
