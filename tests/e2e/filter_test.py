# SPDX-License-Identifier: MIT
"""Which sessions the rules of "filter" let through, also while they change, and that the agent's own never are.

filter_test.py SOCKFLOW [case...]
"""
import collections
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import programs
from programs import check

CREATED, DELETED = 1, 2
EGRESS = 1
NOBODY = 65534
# What each process does: as this user one session with itself over this address, and tells its ports.
PROGRAM = """
import ctypes, os, socket, sys
address, name, uid = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.setuid(uid)
ctypes.CDLL(None).prctl(15, name.encode())
listener = socket.socket()
listener.bind((address, 0))
listener.listen()
client = socket.socket()
client.bind((address, 0))
client.connect(listener.getsockname())
server = listener.accept()[0]
client.sendall(b'q' * 100)
server.recv(100, socket.MSG_WAITALL)
client.close()
server.recv(1)
server.close()
print(listener.getsockname()[1])
"""


class Load:
    """Sessions of up to 50 ms over two ports, one after another in some threads."""

    def __init__(self):
        self.listeners = [socket.create_server(('127.0.0.1', 0)) for _ in range(2)]
        self.ports = [listener.getsockname()[1] for listener in self.listeners]
        self.made = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(i,)) for i in range(8)]
        for thread in self._threads:
            thread.start()

    def _run(self, index):
        while not self._stop.is_set():
            client = socket.create_connection(('127.0.0.1', self.ports[index % 2]))
            # Another thread's client, for all we know.
            server = self.listeners[index % 2].accept()[0]
            client.sendall(b'q')
            server.recv(1)
            self._stop.wait(0.005 + index * 0.006)
            client.close()
            server.close()
            self.made += 1

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for listener in self.listeners:
            listener.close()


class Tests:
    def __init__(self, sockflow):
        self.sockflow = sockflow
        self.folder = sockflow.folder
        self.program = self.folder / 'odd-program'
        shutil.copy(os.path.realpath(sys.executable), self.program)
        self.folder.chmod(0o755)

    def printing(self, output, rules, *arguments, exporter=''):
        """An agent that prints what it exports, and the file to change its rules in."""
        self.file = self.folder / 'filter.yaml'
        self.exporter = exporter
        self.write(rules)
        arguments = arguments or ('--collector', f'udp://127.0.0.1:{programs.free_udp_port()}')
        forced = os.environ.get('SOCKFLOW_TIER')
        with open(output, 'wb') as stdout:
            return programs.Program([self.sockflow.binary, 'run', '--config', self.file, '--print=json',
                                     *(['--tier', forced] if forced else []), *arguments], stdout=stdout)

    def write(self, rules):
        self.file.write_text(f'filter:\n{rules}\nexporter:\n  interval_seconds: 0.1\n{self.exporter}')

    def reload(self, agent, rules):
        self.write(rules)
        said = agent.log.count('configuration read again')
        agent.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 5
        while agent.log.count('configuration read again') == said:
            check(time.monotonic() < deadline, f'not read again:\n{agent.log}')
            time.sleep(0.01)

    def make_all(self):
        """Port of each kind of session -> kind."""
        kinds = {'plain': (sys.executable, '127.0.0.1', 'filter-plain', 0),
                 'address': (sys.executable, '127.77.0.1', 'filter-address', 0),
                 'user': (sys.executable, '127.0.0.1', 'filter-user', NOBODY),
                 'program': (self.program, '127.0.0.1', 'filter-program', 0)}
        ports = {}
        for kind, (program, *arguments) in kinds.items():
            made = subprocess.run([program, '-c', PROGRAM, *map(str, arguments)], check=True, timeout=10,
                                  stdout=subprocess.PIPE)
            ports[int(made.stdout)] = kind
        return ports

    def case_by_every_key(self):
        everyone = {'plain', 'address', 'user', 'program'}
        here = os.path.realpath(sys.executable)
        cases = [
            ('  include: [{process: filter-plain}]', {'plain'}),
            ('  include: [{process: "filter-p*"}]', {'plain', 'program'}),
            ('  exclude: [{process: [filter-plain, filter-user]}]', {'address', 'program'}),
            (f'  include: [{{executable: {self.program}}}]', {'program'}),
            (f'  exclude: [{{executable: {here}}}]', {'program'}),
            ('  include: [{user: nobody}]', {'user'}),
            (f'  exclude: [{{user: {NOBODY}}}]', everyone - {'user'}),
            (f'  include: [{{user: {NOBODY}}}, {{address: 127.77.0.0/16}}]', {'user', 'address'}),
            ('  exclude: [{local_address: 127.77.0.1}, {process: filter-plain}]', {'user', 'program'}),
            ('  include: [{loopback: true, process: "filter-*"}]', everyone),
            ('  exclude: [{loopback: true}]', set()),
            ('  exclude: [{port: 1-65535}]', set()),
            ('  include: [{port: [1, 2]}]', set()),
        ]
        output = self.folder / 'every-key.json'
        expected, twice = {}, set()
        with self.printing(output, '') as agent:
            agent.wait_for('capture tier: ')
            for rules, kinds in cases:
                self.reload(agent, rules)
                for port, kind in self.make_all().items():
                    # A port may come twice: which rules it was made under, nobody can tell.
                    twice |= {port} & expected.keys()
                    expected[port] = (rules, kind, kind in kinds)
                time.sleep(0.5)
            # One side of each.
            self.reload(agent, '  include: [{direction: passive, process: "filter-*"}]')
            passive = self.make_all()
            time.sleep(0.5)
            twice |= passive.keys() & expected.keys()
            for port in twice:
                expected.pop(port, None)
                passive.pop(port, None)
            check(len(expected) >= 3 * len(cases) and len(passive) >= 3, f'ports came twice too often: {twice}')
            statistics = agent.stop()
        print(' ', statistics)
        told = collections.defaultdict(list)
        for flow in programs.read_flows(output).values():
            port = flow[0]['destinationTransportPort']
            if port not in expected and port not in passive:
                continue
            check([r['firewallEvent'] for r in flow] == [CREATED, DELETED], f'not a start and an end: {flow}')
            told[port].append(flow[0]['flowDirection'])
        wrong = [(rules, kind, is_told, told[port]) for port, (rules, kind, is_told) in expected.items()
                 if len(told[port]) != (2 if is_told else 0)]
        check(not wrong, f'{wrong}')
        for port, kind in passive.items():
            check(len(told[port]) == 1 and told[port] != [EGRESS], f'passive of {kind}: {told[port]}')
        at_source = int(re.search(r'(\d+) sessions filtered out at the source', statistics)[1])
        check(programs.IS_PCAP == (at_source == 0), 'what is cheap is left out by the kernel')
        print(f'  {len(expected) + len(passive)} sessions as {len(cases) + 1} sets of rules say')

    def case_reload_under_load(self):
        output = self.folder / 'reload.json'
        load = Load()
        try:
            with self.printing(output, '') as agent:
                agent.wait_for('capture tier: ')
                time.sleep(1)
                a, b = load.ports
                sets = [f'  exclude: [{{port: {a}}}]', f'  include: [{{port: {a}}}]', '  exclude: [{user: 0}]',
                        f'  exclude: [{{executable: {os.path.realpath(sys.executable)}}}]',
                        f'  include: [{{process: nobody}}, {{port: {b}}}]', '']
                for i in range(36):
                    self.reload(agent, sets[i % len(sets)])
                    time.sleep(0.1)
                load.stop()
                time.sleep(1)
                statistics = agent.stop()
        finally:
            load.stop()
        print(' ', statistics)
        flows = [flow for flow in programs.read_flows(output).values()
                 if {flow[0]['sourceTransportPort'], flow[0]['destinationTransportPort']} & set(load.ports)]
        odd = [flow for flow in flows if [r['firewallEvent'] for r in flow] != [CREATED, DELETED]]
        check(not odd, f'{len(odd)} without one start and one end: {odd[:3]}')
        check(len(flows) > 100, 'too few to mean anything')
        check(len(flows) < 2 * load.made * 0.9, 'nothing was filtered')
        check(re.search(r'lost by reason: (nothing|(unseen_start|unknown_session) \d+)$', statistics), 'losses')
        print(f'  of {2 * load.made} sessions {len(flows)} were told, each with one start and one end')

    def case_a_collector_that_refuses_makes_no_loop(self):
        output = self.folder / 'refused.json'
        with socket.socket() as closed:
            closed.bind(('127.0.0.1', 0))
            port = closed.getsockname()[1]
            with self.printing(output, '', '--collector', f'tcp://127.0.0.1:{port}',
                               exporter='  reconnect_seconds: 0.1\n') as agent:
                agent.wait_for('capture tier: ')
                made = programs.make_session()
                time.sleep(3)
                pid = agent.process.pid
                agent.process.send_signal(signal.SIGTERM)
                agent.join(10)
                statistics = agent.lines[-1]
        print(' ', statistics)
        records = [r for flow in programs.read_flows(output).values() for r in flow]
        check(any(r['destinationTransportPort'] == made[1] for r in records), 'the one session is missing')
        own = [r for r in records if pid in (r.get('SRC_PROC_PID'), r.get('DST_PROC_PID'))
               or port in (r['sourceTransportPort'], r['destinationTransportPort'])]
        check(not own, f'{len(own)} records of the agent itself: {own[:2]}')
        left_out = int(re.search(r'(\d+) sessions of its own left out', statistics)[1])
        check(left_out >= 2, 'it did not try')
        print(f'  {left_out} attempts, none of them told')


if __name__ == '__main__':
    programs.run_capturing_cases(Tests)
