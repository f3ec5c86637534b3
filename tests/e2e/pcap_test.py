# SPDX-License-Identifier: MIT
"""The tier pcap and capture files, as a user meets them: pcap_test.py SOCKFLOW [CASE...]

What is right about its sessions is truth_test.py's matter (SOCKFLOW_TIER=pcap).
"""
import collections
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'golden'))
import capture_writer
import programs
from namespaces import Network
from peer import SENT
from programs import check, make_session

FLOW_CREATED, FLOW_DELETED = 1, 2
PACKETS = capture_writer.read('''
0.000 10.0.0.1:1000 > 10.0.0.2:80 S seq 100
0.001 10.0.0.2:80 > 10.0.0.1:1000 SA seq 200 ack 101
0.002 10.0.0.1:1000 > 10.0.0.2:80 FA seq 111 ack 201
0.003 10.0.0.2:80 > 10.0.0.1:1000 FA seq 221 ack 112
1.000 10.0.0.1:1001 > 10.0.0.2:443 S seq 100
1.001 10.0.0.2:443 > 10.0.0.1:1001 RA seq 0 ack 101
''')


class Pcap:
    def __init__(self, sockflow):
        self.sockflow = sockflow

    def agent(self, *arguments, output=None, **options):
        """Prints its records to `output`."""
        collector = f'file:{self.sockflow.folder}/records'
        stdout = open(output, 'wb') if output else None
        try:
            return self.sockflow.agent('--collector', collector, '--print=json', *arguments,
                                       tier=False, stdout=stdout, **options)
        finally:
            if stdout:
                stdout.close()

    def output(self):
        self.sockflow._files += 1
        return self.sockflow.folder / f'output{self.sockflow._files}'

    @staticmethod
    def records(path):
        lines = [json.loads(line) for line in path.read_text(encoding='utf-8').splitlines()]
        return [line for line in lines if 'firewallEvent' in line]

    def fails(self, status, pattern, *arguments, **options):
        with self.agent(*arguments, ready=False, **options) as agent:
            got = agent.join(programs.READY_SECONDS)
        check(got == status, f'exit status {got}, not {status}:\n{agent.log}')
        found = agent.find(pattern)
        check(found, f'no "{pattern}" in:\n{agent.log}')
        print(f'    {found.string}')

    def ended(self, output, port, sessions=1):
        """The end records of this port, when there are so many."""
        deadline = time.monotonic() + 10
        while True:
            ends = [r for r in self.records(output) if port in
                    (r['sourceTransportPort'], r['destinationTransportPort']) and
                    r['firewallEvent'] == FLOW_DELETED]
            if len(ends) >= sessions or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        check(len(ends) == sessions, f'{len(ends)} ends, not {sessions}: {ends}')
        return ends

    # --- bad input ---

    def case_no_such_interface(self):
        self.fails(2, 'interface: no network interface "nosuch0"; there are: .*lo.*or "any"',
                   '--pcap', '--interface', 'lo,nosuch0')

    def case_bad_filter(self):
        for arguments in (['--pcap'], ['--check'], ['--read', '-']):
            self.fails(2, r'bpf.filter: .*syntax error.*, at column 13: "adn port 81"', *arguments,
                       '--filter', 'tcp port 80 adn port 81')
        self.fails(2, 'bpf.filter: .*at column 1: "host"', '--pcap', '--filter', 'host')

    def case_no_permission(self):
        os.chmod(self.sockflow.folder, 0o755)
        binary = shutil.copy(self.sockflow.binary, self.sockflow.folder / 'sockflow')
        os.chmod(binary, 0o755)
        as_nobody = Pcap(programs.Sockflow(binary, self.sockflow.folder))
        nobody = dict(user=65534, group=65534, extra_groups=[])
        folder = self.sockflow.folder / 'nobody'
        folder.mkdir()
        folder.chmod(0o777)
        to = ['--collector', f'file:{folder}/records']
        as_nobody.fails(1, 'capture tier pcap: packets may not be captured: .*CAP_NET_RAW',
                        '--pcap', *to, **nobody)
        as_nobody.fails(1, 'no capture tier can be used: fentry: .*CAP_BPF.*; pcap: .*CAP_NET_RAW',
                        *to, **nobody)

    def case_falls_back_without_ebpf(self):
        capabilities = '+net_raw,+dac_read_search,+sys_ptrace'
        output = self.output()
        prefix = ['setpriv', '--inh-caps', f'-all,{capabilities}', '--bounding-set',
                  f'-all,{capabilities}']
        with self.agent(prefix=prefix, output=output) as agent:
            print(f'    {agent.find("capture tier: .*").string}')
            why = agent.wait_for('is not used: ')
            print(f'    {why.string}')
            check(agent.find('capture tier: pcap') and 'CAP_BPF' in why.string, agent.log)
            with socket.socket() as listener:
                listener.bind(('127.0.0.1', 0))
                listener.listen()
                client = socket.create_connection(listener.getsockname())
                server = listener.accept()[0]
                port = client.getsockname()[1]
                time.sleep(1)
                programs.converse(client, server, 100, 50)
            ends = self.ended(output, port, 2)
            agent.stop()
        for end in ends:
            check((end['initiatorOctets'], end['responderOctets']) == (100, 50), end)
            pid = end.get('SRC_PROC_PID', end.get('DST_PROC_PID'))
            check(pid == os.getpid(), f'the owner is {pid}, not {os.getpid()}: {end}')

    # --- what is captured ---

    def case_filter(self):
        output = self.output()
        with socket.socket() as listener:
            listener.bind(('127.0.0.1', 0))
            listener.listen()
            wanted = listener.getsockname()[1]
            with self.agent('--pcap', '--filter', f'port {wanted} or port 1', output=output) as agent:
                make_session()
                ours = socket.create_connection(('127.0.0.1', wanted))
                accepted = listener.accept()[0]
                programs.converse(ours, accepted, 7, 9)
                self.ended(output, wanted, 2)
                agent.stop()
        ports = {r['destinationTransportPort'] for r in self.records(output)}
        check(ports == {wanted}, f'sessions to {ports}, not only to {wanted}')

    def case_drops_are_counted(self):
        """An agent that does not come to read: what finds no room is counted, and told once it does."""
        sessions = 1000
        with self.agent('--pcap', config='capture:\n  ring_buffer_bytes: 65536\n',
                        output=self.output()) as agent:
            agent.process.send_signal(signal.SIGSTOP)
            for _ in range(sessions):
                make_session()
            agent.process.send_signal(signal.SIGCONT)
            make_session()
            statistics = agent.stop()
        dropped = re.search(r'lost by reason: .*capture_buffer_full (\d+)', statistics)
        check(dropped and 1000 < int(dropped[1]) <= 8 * sessions, statistics)
        print(f'    {dropped[0]}')

    def case_packets_are_counted(self):
        """The kernel's own counts, from an agent with eBPF beside it."""
        outputs = {}
        def run(name, *arguments):
            outputs[name] = self.output()
            return self.agent(*arguments, output=outputs[name])
        config = 'capture:\n  count_packets: true\n'
        with run('ebpf') as ebpf:
            if ebpf.find('capture tier: pcap'):
                print('    no eBPF here to compare with')
                ebpf.stop()
                return
            outputs['pcap'] = self.output()
            with self.agent('--pcap', config=config, output=outputs['pcap']) as pcap:
                ports = [make_session(host, request, reply)[0] for host in ('127.0.0.1', '::1')
                         for request, reply in ((0, 0), (1, 60000), (30000, 1))]
                for output in outputs.values():
                    for port in ports:
                        self.ended(output, port, 2)
                pcap.stop()
                ebpf.stop()
        for port in ports:
            # Of a passive socket the kernel does not count its SYN+ACK.
            counts = {name: [(r['initiatorOctets'], r['responderOctets'], r['initiatorPackets'],
                              r['responderPackets'])
                             for r in self.ended(output, port, 2) if r['flowDirection'] == 1]
                      for name, output in outputs.items()}
            check(counts['ebpf'] == counts['pcap'], counts)

    def case_remote_peers(self):
        """Only the end that is here is a session, whoever connected."""
        with Network() as here, Network() as there:
            here.add_veth(there, 'flow0', '10.77.0.1/24', 'flow0', '10.77.0.2/24')
            for network, address in ((here, '2001:db8:77::1/64'), (there, '2001:db8:77::2/64')):
                network.run('ip', 'address', 'add', address, 'dev', 'flow0', 'nodad')
            output = self.output()
            with self.agent('--pcap', prefix=here.prefix, output=output) as agent:
                for host in ('10.77.0.', '2001:db8:77::'):
                    for client, server, direction in ((here, there, 1), (there, here, 0)):
                        address = host + ('2' if server is there else '1')
                        port, *pids = self.converse_across(client, server, address)
                        end, = self.ended(output, port)
                        check(end['flowDirection'] == direction, end)
                        check((end['initiatorOctets'], end['responderOctets']) ==
                              (SENT['client'], SENT['server']), end)
                        prefix, pid = ('DST', 'SRC')[direction], pids[1 - direction]
                        check(end.get(f'{prefix}_PROC_PID') == pid, f'the owner, not {pid}: {end}')
                agent.stop()
            check(len(self.records(output)) == 8, f'{len(self.records(output))} records, not 8')

    @staticmethod
    def converse_across(client_network, server_network, address):
        """The client's port, and the pids of client and server."""
        def start(network, *arguments):
            return subprocess.Popen([*network.prefix, sys.executable, '-B', HERE / 'peer.py', address,
                                     *arguments], stdout=subprocess.PIPE, text=True)
        with start(server_network) as server:
            with start(client_network, server.stdout.readline().strip()) as client:
                port = int(client.stdout.readline())
        check(client.returncode == 0 and server.returncode == 0, 'a peer has failed')
        return port, client.pid, server.pid

    def case_vlans(self):
        """Tagged once and twice, captured below the tags."""
        sessions = {}
        for i, tags in enumerate((None, '7', '7,8')):
            for j, host in enumerate(('10.77.0.', '[2001:db8:77::')):
                port = 1000 + 10 * i + j
                end = ']' if j else ''
                sessions[port] = [
                    dict(packet, vlan=tags, source=host + packet['source'][-1] + end,
                         destination=host + packet['destination'][-1] + end,
                         **{key: str(port) for key in ('sport', 'dport') if packet[key] == '1000'})
                    for packet in PACKETS[:4]]
        with Network() as here, Network() as there:
            here.add_veth(there, 'flow0', '10.77.9.1/24', 'flow0', '10.77.9.2/24')
            output = self.output()
            with self.agent('--pcap', '--interface', 'flow0', '--filter', 'port 80', output=output,
                            prefix=here.prefix, config='capture:\n  forwarded: true\n') as agent:
                with there.call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)) as wire:
                    wire.bind(('flow0', 0))
                    for packets in sessions.values():
                        for packet in packets:
                            wire.send(b'\xff' * 12 + capture_writer.frame(
                                packet, capture_writer.ETHERNET)[12:])
                for port in sessions:
                    end, = self.ended(output, port)
                    check((end['initiatorOctets'], end['responderOctets']) == (10, 20), end)
                agent.stop()

    def case_several_interfaces(self):
        with Network() as here, Network() as there:
            here.add_veth(there, 'flow0', '10.77.0.1/24', 'flow0', '10.77.0.2/24')
            here.add_veth(there, 'flow1', '10.78.0.1/24', 'flow1', '10.78.0.2/24')
            output = self.output()
            with self.agent('--pcap', '--interface', 'flow0, lo', prefix=here.prefix,
                            output=output) as agent:
                seen = self.converse_across(here, there, '10.77.0.2')[0]
                unseen = self.converse_across(here, there, '10.78.0.2')[0]
                loopback = here.call(make_session)[0]
                self.ended(output, seen)
                self.ended(output, loopback, 2)
                agent.stop()
            check(not [r for r in self.records(output) if r['sourceTransportPort'] == unseen],
                  'a session of another interface')

    def case_forwarded(self):
        """Of others, on their way through: only if it is asked for, once, and without a process."""
        with Network() as router, Network() as left, Network() as right:
            router.add_veth(left, 'left0', '10.77.0.1/24', 'flow0', '10.77.0.2/24')
            router.add_veth(right, 'right0', '10.78.0.1/24', 'flow0', '10.78.0.2/24')
            for network, subnet in ((left, 77), (right, 78)):
                network.run('ip', 'route', 'add', 'default', 'via', f'10.{subnet}.0.1')
            router.run('sysctl', '-qw', 'net.ipv4.ip_forward=1')
            output, silent = self.output(), self.output()
            config = 'capture:\n  forwarded: true\n'
            with self.agent('--pcap', prefix=router.prefix, output=silent) as without, \
                    self.agent('--pcap', prefix=router.prefix, output=output,
                               config=config) as agent:
                port = self.converse_across(left, right, '10.78.0.2')[0]
                end, = self.ended(output, port)
                agent.stop()
                statistics = without.stop()
            check(end['SRC_PROC_PID'] == 0 and end['initiatorOctets'] == SENT['client'], end)
            check(len(self.records(output)) == 2, 'more than one session')
            check(not self.records(silent) and 'not_of_this_host 1' in statistics, statistics)

    def case_interface_goes_and_comes(self):
        with Network() as here, Network() as there:
            def add():
                here.add_veth(there, 'flow0', '10.77.0.1/24', 'flow0', '10.77.0.2/24')
            add()
            output = self.output()
            with self.agent('--pcap', '--interface', 'flow0', prefix=here.prefix,
                            output=output) as agent:
                self.ended(output, self.converse_across(here, there, '10.77.0.2')[0])
                here.run('ip', 'link', 'set', 'flow0', 'down')
                time.sleep(0.5)
                here.run('ip', 'link', 'set', 'flow0', 'up')
                self.ended(output, self.converse_across(here, there, '10.77.0.2')[0])
                check(not agent.find('nothing is captured'), agent.log)
                here.run('ip', 'link', 'delete', 'flow0')
                print(f'    {agent.wait_for("nothing is captured on flow0").string}')
                add()
                print(f'    {agent.wait_for("interface flow0 is captured again").string}')
                self.ended(output, self.converse_across(there, here, '10.77.0.1')[0])
                statistics = agent.stop()
            check('interface_gone 1' in statistics, statistics)

    def case_any_takes_new_interfaces(self):
        with Network() as here, Network() as there:
            output = self.output()
            with self.agent('--pcap', prefix=here.prefix, output=output) as agent:
                here.add_veth(there, 'flow0', '10.77.0.1/24', 'flow0', '10.77.0.2/24')
                self.ended(output, self.converse_across(here, there, '10.77.0.2')[0])
                agent.stop()

    # --- files ---

    def write(self, name, octets):
        path = self.sockflow.folder / name
        path.write_bytes(octets)
        return path

    def case_read_file(self):
        path = self.write('two.pcap', capture_writer.pcap(PACKETS))
        output = self.output()
        with self.agent('--read', path, ready=False, output=output) as agent:
            check(agent.join(programs.READY_SECONDS) == 0, agent.log)
        events = collections.Counter(r['firewallEvent'] for r in self.records(output))
        check(events == {FLOW_CREATED: 2, FLOW_DELETED: 2}, events)
        output = self.output()
        with self.agent('--read', path, '--filter', 'port 443', ready=False, output=output) as agent:
            check(agent.join(programs.READY_SECONDS) == 0, agent.log)
        ports = [r['destinationTransportPort'] for r in self.records(output)]
        check(ports == [443, 443], ports)

    def case_files_that_are_none(self):
        folder = self.sockflow.folder
        self.fails(1, 'no-such.pcap cannot be opened: No such file', '--read', folder / 'no-such.pcap')
        self.fails(2, 'picture.*no pcap', '--read', self.write('picture', b'\x89PNG\r\n\x1a\n' * 9))
        self.fails(2, 'nothing.*empty', '--read', self.write('nothing', b''))
        self.fails(1, 'directory', '--read', folder)
        self.fails(2, 'excludes', '--read', folder / 'x', '--pcap')

    def case_file_cut_short(self):
        """All that is whole is told, then how far that was."""
        whole = capture_writer.pcap(PACKETS)
        path = self.write('short.pcap', whole[:-7])
        output = self.output()
        with self.agent('--read', path, ready=False, output=output) as agent:
            check(agent.join(programs.READY_SECONDS) == 1, agent.log)
        complaint = agent.find('cut short')
        check(complaint and 'packet 6' in complaint.string, agent.log)
        print(f'    {complaint.string}')
        ends = [r for r in self.records(output) if r['firewallEvent'] == FLOW_DELETED]
        check([r['flowEndReason'] for r in ends] == [3, 4], ends)

    def case_a_slow_collector_loses_nothing_of_a_file(self):
        """More than the queue holds: the file waits."""
        sessions = 20_000
        lines = []
        for i in range(sessions):
            client = f'10.{i >> 14}.{i >> 8 & 63}.{i & 255}'
            lines += [dict(p, source=client if p['source'] == '10.0.0.1' else p['source'],
                           destination=client if p['destination'] == '10.0.0.1' else
                           p['destination']) for p in PACKETS[:4]]
        path = self.write('many.pcap', capture_writer.pcap(lines))
        port, output = programs.free_udp_port(), self.output()
        with self.sockflow.collector(port, output) as collector, \
                self.sockflow.agent('--read', path, '--collector', f'udp://127.0.0.1:{port}',
                                    config='exporter:\n  queue_bytes: 65536\n', tier=False,
                                    ready=False) as agent:
            check(agent.join(60) == 0, agent.log)
            check('lost 0 records' in agent.lines[-1], agent.lines[-1])
            collector.stop()
        check(len(self.records(output)) == 2 * sessions, f'{len(self.records(output))} records')


if __name__ == '__main__':
    programs.run_capturing_cases(Pcap)
