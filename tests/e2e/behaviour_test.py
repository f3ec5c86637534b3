# SPDX-License-Identifier: MIT
"""What a user sees of sockflow besides the records: options, trouble, bad input, the end.

behaviour_test.py SOCKFLOW [CASE...]
"""
import collections
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import time
import unicodedata

import programs
from programs import check, make_session, open_session, Failure
from receiver import Receiver, ipfix_validator, read_elements

# The sessions of most cases come from here and the agent is told to keep no others, so that other
# traffic of the machine is out of the way.
SOURCE = '127.0.0.77'
ONLY_OURS = f'bpf:\n  source_host: {SOURCE}\n'
NOBODY = 65534
FLOW_CREATED, FLOW_DELETED = 1, 2
# Log lines that say what the program does are no complaints.
INFO = re.compile(r'^\S+ \S+ info ')


class Behaviour:
    def __init__(self, sockflow):
        self.sockflow = sockflow
        self.elements = read_elements(sockflow)

    def receiver(self, max_octets=65535):
        return Receiver(self.elements, max_octets)

    def json_lines(self, path):
        """Of our sessions; every line must be an object."""
        records = [json.loads(line) for line in path.read_bytes().decode('utf-8').splitlines()]
        return [r for r in records if r.get('sourceIPv4Address') == SOURCE]

    def fails(self, status, pattern, *arguments, command='run', config='', **options):
        """One complaint of one line, nothing on standard output, in time."""
        output = self.sockflow.folder / 'stdout'
        with open(output, 'wb') as stdout:
            if command == 'run' and config is not None:
                program = self.sockflow.agent(*arguments, config=config, ready=False, tier=False,
                                              stdout=stdout, **options)
            else:
                program = programs.Program([self.sockflow.binary, command, *arguments],
                                           stdout=stdout, **options)
            with program:
                got = program.join(10)
        complaints = [line for line in program.lines if not INFO.match(line)]
        check(got == status, f'exit status {got}, not {status}:\n{program.log}')
        check(len(complaints) == 1, f'not one line but:\n{program.log}')
        check(re.search(pattern, complaints[0]), f'no "{pattern}" in: {complaints[0]}')
        check(output.read_bytes() == b'', 'something on standard output')
        print(f'    {complaints[0]}')

    # --- the end ---

    def case_flush_at_signals(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            config = (ONLY_OURS +
                      'exporter:\n  interval_seconds: 60\n  max_message_bytes: 60000\n')
            with self.receiver() as receiver, \
                    self.sockflow.agent('--collector', receiver.url, config=config) as agent:
                held = open_session(source=SOURCE)
                make_session(source=SOURCE)
                receiver.receive_all()
                check(not receiver.records, 'records before their time')
                statistics = agent.stop(number)
                receiver.receive_all()
                events = collections.Counter(r.number(233) for r in receiver.records)
                check(events == {FLOW_CREATED: 4, FLOW_DELETED: 2}, f'events {events}')
                check(re.search('seen .*exported 6 records .*lost by reason: nothing', statistics),
                      f'no statistics: {statistics}')
                for one in held:
                    one.close()

    def case_end_by_duration(self):
        with self.receiver() as receiver, \
                self.sockflow.agent('--collector', receiver.url, '--duration', '1') as agent:
            check(agent.join(5) == 0 and 'seen ' in agent.lines[-1], agent.log)

    # --- collectors ---

    def case_collector_away(self):
        port, output = programs.free_udp_port(), self.sockflow.folder / 'late'
        config = ONLY_OURS + ('exporter:\n  template_refresh_seconds: 1\n  interval_seconds: 0\n')
        with self.sockflow.agent('--collector', f'udp://127.0.0.1:{port}', config=config) as agent:
            for _ in range(25):
                make_session(source=SOURCE)
                time.sleep(0.1)
            complaints = [line for line in agent.lines if not INFO.match(line)]
            check(len(complaints) == 1 and f':{port}' in complaints[0] and
                  re.search(r'start the collector', complaints[0]), f'complaints: {complaints}')
            print(f'    {complaints[0]}')
            with self.sockflow.collector(port, output) as collector:
                deadline = time.monotonic() + 10
                # A message may still meet the refusal of the one before; templates come again.
                while time.monotonic() < deadline and not self.json_lines(output):
                    make_session(source=SOURCE)
                    time.sleep(0.3)
                ports = make_session(source=SOURCE)
                statistics = agent.stop()
                collector.stop()
        lost = int(re.search(r'lost (\d+) records', statistics)[1])
        # Of two messages in a row, the first is refused and the second is told of it.
        check(lost >= 20, f'{lost} records counted as lost of 100 that nobody received')
        last = [r for r in self.json_lines(output) if r['sourceTransportPort'] == ports[0]]
        check(len(last) == 4, f'{len(last)} records of the last session at the late collector')

    def case_two_collectors(self):
        with self.receiver() as one, self.receiver() as other, \
                self.sockflow.agent('--collector', one.url, '--collector', other.url,
                                    config=ONLY_OURS) as agent:
            make_session(source=SOURCE)
            agent.stop()
            for receiver in (one, other):
                receiver.receive_all()
                check(len(receiver.records) == 4, f'{len(receiver.records)} records')

    # --- messages ---

    def case_chunk_size(self):
        config = ONLY_OURS + 'exporter:\n  chunk_size: 3\n'
        with self.receiver(1400) as receiver, \
                self.sockflow.agent('--collector', receiver.url, config=config) as agent:
            for _ in range(8):
                make_session(source=SOURCE)
            agent.stop()
            receiver.receive_all()
            sizes = [len(records) for _, records in receiver.messages]
            check(sum(sizes) == 32 and max(sizes) == 3, f'records in the messages: {sizes}')
            print(f'    records in the messages: {sizes}')

    def case_interval(self):
        took = {}
        for interval in (0, 2):
            config = ONLY_OURS + f'exporter:\n  interval_seconds: {interval}\n'
            with self.receiver() as receiver, \
                    self.sockflow.agent('--collector', receiver.url, config=config):
                begin = time.monotonic()
                make_session(source=SOURCE)
                while not receiver.records:
                    check(receiver.receive(8), 'no record within 8 s')
                took[interval] = time.monotonic() - begin
        print(f'    seconds until the first record, by interval: {took}')
        check(took[0] < 2 <= took[2] < 6, 'the interval has no effect')

    def case_max_message_bytes(self):
        config = ONLY_OURS + 'exporter:\n  max_message_bytes: 512\n'
        with self.receiver(512) as receiver, \
                self.sockflow.agent('--collector', receiver.url, config=config) as agent:
            for _ in range(10):
                make_session(source=SOURCE)
            agent.stop()
            receiver.receive_all()
            sizes = [len(message) for message, _ in receiver.messages]
            check(len(receiver.records) == 40, f'{len(receiver.records)} records')
            print(f'    {len(sizes)} datagrams, the longest has {max(sizes)} octets')

    def case_profile_iana(self):
        with self.receiver(1400) as receiver, \
                self.sockflow.agent('--collector', receiver.url, '--profile', 'iana',
                                    config=ONLY_OURS) as agent:
            make_session(source=SOURCE)
            agent.stop()
            receiver.receive_all()
            fields = [f for fields in receiver.validator.templates.values() for f in fields]
            check(fields and all(f.pen == 0 for f in fields), f'enterprise elements: {fields}')
            names = {record.text(96) for record in receiver.records}
            own = pathlib.Path('/proc/self/comm').read_text().rstrip('\n')
            check(len(receiver.records) == 4 and names == {own}, f'names {names}')

    # --- what is kept ---

    def kept(self, *arguments, config='', sessions):
        """Those of the sessions, (source, host), of which there are records."""
        with self.receiver() as receiver, \
                self.sockflow.agent('--collector', receiver.url, *arguments,
                                    config=config) as agent:
            made = {make_session(host, source=source): (source or host, host)
                    for source, host in sessions}
            agent.stop()
            receiver.receive_all()
            seen = {(r.number(7), r.number(11)) for r in receiver.records}
        return [what for ports, what in made.items() if ports in seen]

    def case_source_host(self):
        sessions = [(SOURCE, '127.0.0.1'), (None, '127.0.0.1'), ('127.0.0.1', SOURCE),
                    (None, '::1')]
        kept = self.kept(config=ONLY_OURS, sessions=sessions)
        check(kept == [(SOURCE, '127.0.0.1')], f'kept {kept}')
        kept = self.kept(config='bpf:\n  source_host: "::1"\n', sessions=sessions)
        check(kept == [('::1', '::1')], f'kept {kept}')
        kept = self.kept(config='bpf:\n  source_host: " "\n', sessions=sessions)
        check(len(kept) == 4, f'kept {kept}')

    def case_interface(self):
        sessions = [(None, '127.0.0.1'), (None, '::1')]
        kept = self.kept('--interface', 'lo', sessions=sessions)
        check(len(kept) == 2, f'kept {kept}')
        others = [name for _, name in socket.if_nameindex() if name != 'lo']
        if others:
            kept = self.kept('--interface', others[0], sessions=sessions)
            check(not kept, f'kept {kept} on {others[0]}')
        # Both: source and interface.
        kept = self.kept('--interface', 'lo', config='bpf:\n  source_host: "::1"\n',
                         sessions=sessions)
        check(kept == [('::1', '::1')], f'kept {kept}')
        if others:
            kept = self.kept('--interface', others[0], config='bpf:\n  source_host: "::1"\n',
                             sessions=sessions)
            check(not kept, f'kept {kept} on {others[0]}')
        self.fails(2, r'no-such0.*\blo\b', '--interface', 'no-such0')

    # --- printing ---

    def case_print(self):
        port, output = programs.free_udp_port(), self.sockflow.folder / 'collected'
        printed = {form: self.sockflow.folder / f'printed-{form}' for form in ('json', 'text')}
        with self.sockflow.collector(port, output) as collector:
            for form, option in (('json', '--print=json'), ('text', '--print')):
                with open(printed[form], 'wb') as stdout, \
                        self.sockflow.agent('--collector', f'udp://127.0.0.1:{port}', option,
                                            '--profile', 'full', stdout=stdout,
                                            config=ONLY_OURS + 'exporter: {pen: 32473}\n') as agent:
                    ports = make_session(source=SOURCE)
                    agent.stop()
            collector.stop()

        def essence(record):
            return {key: value for key, value in record.items()
                    if key not in ('exportTime', 'exporterIPv4Address')}
        shown = [essence(r) for r in self.json_lines(printed['json'])]
        collected = [essence(r) for r in self.json_lines(output)]
        check(len(shown) == 4 and len({r['flowId'] for r in shown}) == 2, f'printed {shown}')
        # Every fact under the same name, those of our own elements too.
        check(shown == collected[:4], f'printed {shown}\ncollected {collected}')
        check([r['sessionPreExisting'] for r in shown] == [False] * 4 and
              sorted(r['sessionCloseReason'] for r in shown if r['firewallEvent'] == 2) ==
              ['local-fin', 'remote-fin'], f'printed {shown}')
        lines = printed['text'].read_text().splitlines()
        of_session = [line for line in lines if f'{SOURCE}:{ports[0]}' in line]
        check(len(of_session) == 4 and all(str(os.getpid()) in line for line in of_session) and
              sum('start' in line for line in of_session) == 2, f'printed {lines}')

    # --- trouble at the start ---

    def case_not_root(self):
        # A copy: nobody may not see where we build.
        os.chmod(self.sockflow.folder, 0o755)
        binary = shutil.copy(self.sockflow.binary, self.sockflow.folder / 'sockflow')
        os.chmod(binary, 0o755)
        as_nobody = Behaviour(programs.Sockflow(binary, self.sockflow.folder))
        as_nobody.fails(1, 'missing CAP_BPF and CAP_PERFMON: run as root or grant',
                        user=NOBODY, group=NOBODY, extra_groups=[])

    def case_tier_refused(self):
        with self.sockflow.agent('--tier', 'fentry', '--duration', '0.1', ready=False,
                                 tier=False) as agent:
            is_possible = agent.join(programs.READY_SECONDS) == 0
        if is_possible:
            print('    fentry works here: nothing to refuse')
        else:
            self.fails(1, 'capture tier fentry: .', '--tier', 'fentry')

    def case_port_in_use(self):
        with self.receiver() as receiver:
            port = receiver.socket.getsockname()[1]
            self.fails(1, f'{port}.*in use', '--listen', receiver.url, command='collect')

    def case_bad_configuration(self):
        for text, line, key in (('exporter:\n  chunk_size: many\n', 2, 'exporter.chunk_size'),
                                ('log:\n  level: info\n  colour: red\n', 3, 'log.colour'),
                                ('exporter:\n  max_message_bytes: 511\n', 2,
                                 'exporter.max_message_bytes')):
            self.fails(2, rf'config\d+\.yaml:{line}: {key}', config=text)
        self.fails(2, 'no-such-file', '--config', 'no-such-file', config=None)
        self.fails(2, 'dccp', '--collector', 'dccp://127.0.0.1')

    # --- hostile input ---

    def case_hostile_names(self):
        names = (b'a\nb\x1b[31mc', b'\xff\xfe"q\\\'', b'{"x":1},"', b'\r\t\x7f\xc2\x9b1m',
                 b'\xe2\x80\xaetxt.\xf0\x9f', b'</script>', b'%s%n%s', b' ', b'\xed\xa0\x80')
        folder = self.sockflow.folder
        ports = {form: programs.free_udp_port() for form in ('json', 'text')}
        outputs = {form: folder / f'hostile-{form}' for form in ports}
        with self.receiver() as receiver, \
                self.sockflow.collector(ports['json'], outputs['json']) as json_collector, \
                self.sockflow.collector(ports['text'], outputs['text'],
                                        form='text') as text_collector, \
                open(folder / 'printed', 'wb') as stdout, \
                self.sockflow.agent('--collector', receiver.url,
                                    '--collector', f'udp://127.0.0.1:{ports["json"]}',
                                    '--collector', f'udp://127.0.0.1:{ports["text"]}',
                                    '--print', config=ONLY_OURS, stdout=stdout) as agent:
            pids = {}
            for name in names:
                pids[self.in_child(name)] = name
            agent.stop()
            json_collector.stop()
            text_collector.stop()
            receiver.receive_all()  # validates UTF-8
        records = self.json_lines(outputs['json'])
        check(len(records) == len(receiver.records) == 4 * len(names), f'{len(records)} records')
        for record in records:
            pid = record.get('SRC_PROC_PID', record.get('DST_PROC_PID'))
            said = record['applicationName']
            # What is valid stays as it is.
            try:
                check(said == pids[pid].decode(), f'{pids[pid]!r} is shown as {said!r}')
            except UnicodeDecodeError:
                check(said and '\ufffd' in said, f'{pids[pid]!r} is shown as {said!r}')
        for path in (outputs['text'], folder / 'printed'):
            text = path.read_bytes().decode('utf-8')
            bad = {c for c in text if c != '\n' and unicodedata.category(c) in ('Cc', 'Cf', 'Cs')}
            check(not bad, f'{path.name} has {bad}')
            lines = [line for line in text.splitlines() if SOURCE in line]
            check(len(lines) == 4 * len(names), f'{len(lines)} lines in {path.name}')

    @staticmethod
    def in_child(name):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                programs.name_process(name)
                make_session(source=SOURCE)
                status = 0
            finally:
                os._exit(status)
        check(os.waitpid(pid, 0)[1] == 0, 'the child has failed')
        return pid

    def case_hostile_datagrams(self):
        dice = random.Random(7)
        port, output = programs.free_udp_port(), self.sockflow.folder / 'among-hostile'
        config = ONLY_OURS + 'exporter:\n  interval_seconds: 0\n'
        sent = 0
        with self.receiver() as receiver, self.sockflow.collector(port, output) as collector, \
                self.sockflow.agent('--collector', receiver.url, '--collector',
                                    f'udp://127.0.0.1:{port}', config=config) as agent, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attacker:
            attacker.connect(('127.0.0.1', port))
            sessions = 40
            for _ in range(sessions):
                make_session(source=SOURCE)
                while not receiver.records and receiver.receive(5):
                    pass
                receiver.receive_all()
                real = dice.choice(receiver.messages)[0]
                hostile = (
                    dice.randbytes(dice.randrange(1, 1400)),
                    real[:dice.randrange(1, len(real))],
                    struct.pack('!H', dice.choice((0, 5, 9, 11, 65535))) + real[2:],
                    real[:2] + struct.pack('!H', len(real) + dice.choice((-1, 1))) + real[4:],
                    # A set that ends beyond the message, and one of no length.
                    real[:18] + b'\xff\xff' + real[20:], real[:18] + b'\0\0' + real[20:],
                )
                for datagram in hostile:
                    attacker.send(datagram)
                    sent += 1
            agent.stop()
            summary = collector.stop()
        print(f'    {summary}')
        malformed = re.search(r'malformed=(\d+) \((.*?)\)', summary)
        check(malformed and int(malformed[1]) == sent, f'{sent} hostile datagrams: {summary}')
        reasons = dict(part.split('=') for part in malformed[2].split())
        check(len(reasons) >= 3 and sum(map(int, reasons.values())) == sent, f'reasons {reasons}')
        check('records_lost_by_sequence=0' in summary, summary)
        check(len(self.json_lines(output)) == 4 * sessions, 'real records are missing')
        check(len(collector.lines) < 20, f'{len(collector.lines)} lines of log')

    # --- cost ---

    def case_idle(self):
        limit_ms, seconds, windows = 10, 10, 3
        with self.receiver() as receiver, \
                self.sockflow.agent('--collector', receiver.url) as agent:
            time.sleep(1)  # its start is over
            for _ in range(windows):
                # Other programs' sessions are work for it: a quiet window is looked for.
                before = self.cpu_ms(agent.process.pid)
                time.sleep(seconds)
                used = self.cpu_ms(agent.process.pid) - before
                if used < limit_ms:
                    break
            status = pathlib.Path(f'/proc/{agent.process.pid}/status').read_text()
            rss = int(re.search(r'VmRSS:\s+(\d+) kB', status)[1]) / 1024
            print(f'    idle: {used} ms of CPU in {seconds} s, {rss:.1f} MB resident')
            print(f'    {agent.stop()}')
        check(used < limit_ms, f'{used} ms of CPU in {seconds} s of idling')
        check(rss <= 20, f'{rss:.1f} MB resident')

    @staticmethod
    def cpu_ms(pid):
        # After the name, which may hold anything: utime and stime are fields 14 and 15.
        fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 // os.sysconf('SC_CLK_TCK')


if __name__ == '__main__':
    programs.run_capturing_cases(Behaviour, (Failure, ipfix_validator.Violation))
