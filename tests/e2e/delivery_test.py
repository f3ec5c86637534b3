# SPDX-License-Identifier: MIT
"""Collectors, disks, names and networks in trouble: what was made arrives, or is counted.

delivery_test.py SOCKFLOW [slow | CASE...]
"""
import contextlib
import json
import pathlib
import random
import re
import signal
import socket
import ssl
import sys
import tempfile
import threading
import time
import traceback

import programs
import receiver as receivers
import session_load
import spool_files
from name_server import NameServer
from namespaces import Network, inside, private_mounts
from programs import check, make_session
from receiver import FileReceiver, Receiver, StreamReceiver, ipfix_validator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'interop'))
import tls_certificates  # noqa: E402

# The agent is told to keep no other sessions.
SOURCE = programs.own_address()
NAME_SERVER = programs.own_address(1)
START, END = 1, 2
RECORDS = session_load.RECORDS
SAMPLE = 500  # messages
LOG_LINES = 8


def keys_of(records):
    return {(r.number(148), r.number(233)) for r in records}


class Delivery:
    def __init__(self, sockflow, folder):
        self.sockflow = sockflow
        self.folder = folder
        self.elements = receivers.read_elements(sockflow)
        self.stack = contextlib.ExitStack()
        self.programs = []  # of the case

    def udp(self, **options):
        return self.stack.enter_context(Receiver(self.elements, **options))

    def tcp(self, **options):
        return self.stack.enter_context(StreamReceiver(self.elements, **options))

    def new_folder(self):
        return pathlib.Path(tempfile.mkdtemp(dir=self.folder))

    @staticmethod
    def configuration(collectors, **exporter):
        return json.dumps({
            'bpf': {'source_host': SOURCE},
            'collectors': [c if isinstance(c, dict) else getattr(c, 'url', c)
                           for c in collectors],
            'exporter': {'interval_seconds': 0, 'reconnect_seconds': 0.2, 'statistics_seconds': 0.3,
                         **exporter}})

    def agent(self, collectors, prefix=(), path=None, **exporter):
        text = self.configuration(collectors, **exporter)
        path = path or self.sockflow.config(text)
        path.write_text(text)
        program = programs.Program([*prefix, self.sockflow.binary, 'run', '--config', path])
        self.stack.enter_context(program)
        self.programs.append(program)
        program.wait_for('capture tier: ')
        return program

    @staticmethod
    def sessions(count=5):
        for _ in range(count):
            make_session(source=SOURCE)
        return count * RECORDS

    @staticmethod
    def wait(is_true, what, seconds=10):
        deadline = time.monotonic() + seconds
        while not is_true():
            check(time.monotonic() < deadline, f'no {what} within {seconds} s')
            time.sleep(0.02)

    def wait_for(self, receiver, records, seconds=10):
        def is_there():
            receiver.receive_all()
            return len(receiver.records) >= records
        try:
            self.wait(is_there, 'records', seconds)
        except programs.Failure:
            raise programs.Failure(f'{len(receiver.records)} records of {records} within '
                                   f'{seconds} s') from None

    # --- collectors that misbehave ---

    def case_hostile_collectors(self):
        held = []

        def reset(connection):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, receivers.LINGER_NONE)
            return False

        def never_read(connection):
            held.append(connection.dup())
            return False

        def send_back(connection):
            connection.sendall(random.Random(1).randbytes(200000))
            return True

        good = [self.udp(), self.tcp(), self.tcp(greet=send_back)]
        closing = self.tcp(greet=lambda connection: False)
        resetting = self.tcp(greet=reset)
        deaf = self.tcp(greet=never_read, receive_buffer=4096)
        with socket.socket() as unused:
            unused.bind(('127.0.0.1', 0))
            dead = f'tcp://127.0.0.1:{unused.getsockname()[1]}'
        agent = self.agent([*good, closing, resetting, deaf, dead], reconnect_seconds=0.1,
                           queue_bytes=65536, shutdown_seconds=1)
        made = 0
        for _ in range(20):
            made += self.sessions(5)
            time.sleep(0.05)
        for receiver in good:
            self.wait_for(receiver, made)
        check(closing.accepted > 3 and resetting.accepted > 3 and deaf.accepted == 1,
              f'{closing.accepted}, {resetting.accepted}, {deaf.accepted} connections')
        agent.stop()
        for receiver in good:
            receiver.finish()
            check(len(receiver.records) == made, f'{len(receiver.records)} records of {made}')
            check(receiver.validator.statistics.exporting[166] == 0, 'a good collector lost some')
        for connection in held:
            connection.close()
        check(len(agent.lines) < 100, f'{len(agent.lines)} lines of log')
        complaints = [line for line in agent.lines if ' warning ' in line]
        for url in (closing.url, resetting.url, dead):
            check(any(url.split('://')[1] in line for line in complaints), f'nothing about {url}')
        print('    ' + '\n    '.join(complaints[:6]))

    def case_dead_for_a_while(self):
        tcp, late = self.tcp(), self.tcp()
        late.die()
        agent = self.agent([tcp, late])
        made = self.sessions()
        self.wait_for(tcp, made)
        tcp.die()
        made += self.sessions(50)
        time.sleep(0.5)
        tcp.listen()
        late.listen()
        made += self.sessions()
        for receiver in (tcp, late):
            self.wait_for(receiver, made)
        agent.stop()
        for receiver in (tcp, late):
            receiver.finish()
            check(len(keys_of(receiver.records)) == made, f'{len(receiver.records)} of {made}')
        check(tcp.validator.sessions == 2 and late.validator.sessions == 1, 'sessions')

    # --- spool ---

    def spooled(self, made_by, end, damage=lambda directory: None, queue_bytes=65536):
        """A collector that is away until the agent has ended and been started again; returns it, the
        second agent, the records that were made before and after, and those in whole entries on
        disk between."""
        directory = self.new_folder()
        receiver = self.tcp(may_lose=True)
        receiver.die()
        collectors = [{'url': receiver.url, 'spool': {'directory': str(directory),
                                                      'max_bytes': 16 << 20}}]
        agent = self.agent(collectors, queue_bytes=queue_bytes)
        made = made_by()
        end(agent, directory)
        damage(directory)
        whole = spool_files.records_in(directory)
        receiver.listen()
        agent = self.agent(collectors, queue_bytes=65536)
        receiver.wait_for_session(1)
        again = self.sessions()
        return receiver, agent, made, again, whole

    def case_spool(self):
        def made_by():
            with session_load.Load(1500, 1500, SOURCE) as load:
                load.join()
                return load.records

        def end(agent, _):
            statistics = agent.stop()
            check('lost 0 records' in statistics, statistics)
        # Room for what comes while nobody writes to the disk; a third of all this.
        receiver, agent, made, again, whole = self.spooled(made_by, end, queue_bytes=1 << 19)
        self.wait_for(receiver, made + again)
        agent.stop()
        receiver.finish()
        came = keys_of(receiver.records)
        check(len(came) == made + again == len(receiver.records) and whole == made,
              f'{len(came)} records of {made + again}, {whole} on disk')
        print(f'    {made} records across a restart')

    def case_spool_killed(self):
        """What is on disk survives the agent."""
        def end(agent, directory):
            self.wait(lambda: spool_files.records_in(directory) > 100, 'records on disk')
            agent.process.kill()
            agent.join(5)
        receiver, agent, made, again, whole = self.spooled(lambda: self.sessions(300), end)
        self.wait_for(receiver, whole + again)
        agent.stop()
        receiver.finish()
        came = len(keys_of(receiver.records))
        print(f'    {came - again} records of {made}, {whole} were on disk')
        check(came == whole + again, f'{came} records of {whole + again}')

    def case_spool_damaged(self):
        dice = random.Random(int(time.time()))
        cuts, spooled = [], []

        def damage(directory):
            spooled.append(spool_files.records_in(directory))
            files = sorted((p for p in directory.rglob('*') if p.is_file()),
                           key=lambda p: p.stat().st_size)
            largest = files[-1]
            octets = largest.stat().st_size
            cuts.append((octets, dice.randrange(spool_files.FIRST_ENTRY, octets)))
            with open(largest, 'r+b') as spool:
                spool.truncate(cuts[-1][1])
        receiver, agent, made, again, whole = self.spooled(
            lambda: self.sessions(300), lambda agent, _: agent.stop(), damage)
        self.wait_for(receiver, whole + again)
        self.wait(lambda: self.not_sent(receiver) is not None, 'statistics')
        agent.stop()
        receiver.finish()
        came = len(keys_of(receiver.records))
        print(f'    {came - again} of {made} records, a file of {cuts[0][0]} octets was cut to '
              f'{cuts[0][1]}, {whole} whole, {self.not_sent(receiver)} told as not sent')
        check(came == whole + again, f'{came - again} records of {whole} whole')
        check(whole < made, 'nothing was cut off')
        cut_off = spooled[0] - whole
        check(self.not_sent(receiver) == cut_off,
              f'{self.not_sent(receiver)} records told as not sent of {cut_off}')
        check(agent.find('(?i)warning.*spool'), f'nothing about the spool:\n{agent.log}')
        print(f'    {agent.find("(?i)warning.*spool.*").string}')

    @staticmethod
    def not_sent(receiver):
        receiver.receive_all()
        exporting = receiver.validator.statistics.exporting
        return exporting and exporting[166]

    # --- full disks ---

    def full_disk(self, collector, directory):
        return private_mounts(['mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', directory])

    def slow_full_disk_spool(self):
        directory = self.new_folder()
        receiver = self.tcp(may_lose=True)
        receiver.die()
        agent = self.agent([{'url': receiver.url,
                             'spool': {'directory': str(directory), 'max_bytes': 1 << 30}}],
                           prefix=self.full_disk(receiver, directory), queue_bytes=65536)
        with session_load.Load(6000, 3000, SOURCE) as load:
            made = load.records
            load.join()
        self.wait(lambda: agent.find('(?i)warning.*(no space|full)'), 'complaint about the disk')
        receiver.listen()
        receiver.wait_for_session(1)
        made += self.sessions()
        self.settle(receiver)
        agent.stop()
        receiver.finish()
        self.judge_counted(receiver, made)
        print(f'    {agent.find("(?i)warning.*(no space|full).*").string}')

    def settle(self, receiver, seconds=15):
        """Until all has come and a record of statistics after it."""
        deadline = time.monotonic() + seconds
        before = -1
        while time.monotonic() < deadline:
            receiver.receive_all()
            if len(receiver.records) == before:
                return
            before = len(receiver.records)
            time.sleep(0.8)
        raise programs.Failure('records come for ever')

    @staticmethod
    def judge_counted(receiver, made):
        not_sent = receiver.validator.statistics.exporting[166]
        came = len(keys_of(receiver.records))
        print(f'    {came} came, {not_sent} told as not sent, of {made}')
        check(not_sent > 0 and came > 0, 'nothing was lost or nothing came')
        check(came + not_sent == made, f'{came} + {not_sent} are not {made}')

    def slow_full_disk_file(self):
        directory = self.new_folder()
        healthy = self.udp()
        agent = self.agent([{'url': f'file:{directory}', 'file': {'max_bytes': 262144, 'max_seconds': 1}},
                            healthy],
                           prefix=self.full_disk(None, directory), queue_bytes=1 << 19,
                           interval_seconds=0.1)
        with session_load.Load(4000, 2000, SOURCE) as load:
            made = load.records
            while any(pathlib.Path(f'/proc/{pid}').exists() and
                      'zombie' not in pathlib.Path(f'/proc/{pid}/status').read_text()
                      for pid in load.children):
                healthy.receive(0.01)
            load.join()
        self.wait_for(healthy, made)
        self.wait(lambda: agent.find('(?i)warning.*(no space|full|room)'), 'complaint of the disk')
        seen = inside(agent, directory)
        # Through the agent's file system, which goes with it.
        receiver = FileReceiver(self.elements, seen, may_lose=True)
        full = sum(p.stat().st_size for p in seen.iterdir())
        receiver.receive_all()
        first = len(receiver.records)
        # Somebody makes room.
        for path in receiver.files():
            path.unlink()
        made += self.sessions()
        self.wait(lambda: receiver.files(), 'new file', 10)
        time.sleep(1.5)
        made += self.sessions()
        kept = self.new_folder()
        copier = threading.Thread(target=self.copy_at_end, args=(agent, seen, kept))
        status = agent.process
        copier.start()
        self.wait_for(healthy, made)
        status.send_signal(signal.SIGTERM)
        copier.join()
        check(agent.join(5) == 0, agent.log)
        healthy.finish()
        receiver.directory = kept
        receiver.receive_all()
        came = len(keys_of(receiver.records))
        said = agent.lines[-1]
        print(f'    {first} records in {full} octets, then {came - first} more, of {made}')
        print(f'    {agent.find("(?i)warning.*(no space|full|room).*").string}')
        print(f'    {said}')
        check(first > 0 and came > first, 'nothing was written, or nothing after there was room')
        exported, lost = map(int, re.search(r' file:\S+: exported (\d+) records in \d+ messages, '
                                            r'lost (\d+) records', said).groups())
        check(exported == came and exported + lost == made,
              f'{came} came, {exported} told as exported, {lost} as lost, of {made}')

    @staticmethod
    def copy_at_end(agent, seen, kept):
        """The files as the agent leaves them: its file system is gone when it has ended, so a
        directory of it is kept open."""
        import os
        import shutil
        fd = os.open(seen, os.O_RDONLY)
        try:
            while agent.process.poll() is None:
                time.sleep(0.02)
            for name in os.listdir(fd):
                if not name.startswith('.'):
                    with open(os.open(name, os.O_RDONLY, dir_fd=fd), 'rb') as source, \
                            open(kept / name, 'wb') as copy:
                        shutil.copyfileobj(source, copy)
        finally:
            os.close(fd)

    # --- names and networks ---

    def case_name_server_fails(self):
        folder = self.new_folder()
        (folder / 'resolv.conf').write_text(
            f'nameserver {NAME_SERVER}\noptions timeout:1 attempts:1\n')
        (folder / 'nsswitch.conf').write_text('hosts: dns\n')
        prefix = private_mounts(*(['mount', '--bind', folder / name, f'/etc/{name}']
                                  for name in ('resolv.conf', 'nsswitch.conf')))
        tcp, udp = self.tcp(), self.udp()
        port = udp.socket.getsockname()[1]
        with NameServer(NAME_SERVER) as names:
            agent = self.agent([f'tcp://collector.test:{tcp.port}', f'udp://collector.test:{port}'],
                               prefix=prefix, reconnect_seconds=0.5)
            made = self.sessions()
            self.wait(lambda: agent.find('warning.*collector.test'), 'complaint about the name')
            print(f'    {agent.find("warning.*collector.test.*").string}')
            names.addresses = ['127.0.0.1']
            for receiver in (tcp, udp):
                self.wait_for(receiver, made)
            # The collector moves; the name is looked up for each connection. (Over UDP every half
            # a minute: that is for the unit tests, which have a clock.)
            names.addresses = ['127.0.0.2']
            moved = self.tcp(host='127.0.0.2', port=tcp.port, alone=False)
            tcp.die()
            moved.wait_for_session(1)
            more = self.sessions()
            self.wait_for(moved, more)
            agent.stop()
        for receiver in (udp, moved):
            receiver.finish()
        check(len(tcp.records) == made, f'{len(tcp.records)} records of {made} before the move')
        check(len(moved.records) == more, f'{len(moved.records)} records of {more} after it')

    def case_small_mtu(self):
        # Templates fit, full messages do not.
        with Network(mtu=1300) as network:
            udp = network.call(lambda: self.udp(may_lose=True))
            agent = self.agent([{'url': udp.url, 'profile': 'iana'}], prefix=network.prefix,
                               max_message_bytes=1400, interval_seconds=0.5)
            with session_load.Load(200, 1000, SOURCE) as load:
                made = load.records
                load.join()
            time.sleep(1)
            made += self.sessions(1)  # fits
            self.settle(udp)
            agent.stop()
            udp.finish()
            self.judge_counted(udp, made)
            check(udp.validator.lost[1] == udp.validator.statistics.exporting[166],
                  f'{udp.validator.lost} missing by sequence')
            print(f'    {agent.find("warning.*too long.*").string}')

    # --- several collectors ---

    def case_replicate(self):
        all_of_them = [self.udp(), self.udp(), self.tcp()]
        agent = self.agent(all_of_them)
        made = self.sessions()
        agent.stop()
        for receiver in all_of_them:
            receiver.finish()
            check(len(receiver.records) == made, f'{len(receiver.records)} of {made}')

    def case_failover(self):
        first, second = self.tcp(alone=False), self.tcp(alone=False)
        agent = self.agent([{'policy': 'failover', 'collectors': [first.url, second.url]}])
        made = self.sessions()
        self.wait_for(first, made)
        check(not second.records, 'records at the second collector too')
        first.die()
        rest = self.sessions()
        self.wait_for(second, rest)
        first.listen()
        first.wait_for_session(2)
        # What comes now goes to the first again.
        time.sleep(0.3)
        again = self.sessions()
        self.wait_for(first, made + again)
        agent.stop()
        first.finish()
        second.finish()
        came = [len(keys_of(r.records)) for r in (first, second)]
        check(came == [made + again, rest], f'{came} records, expected {[made + again, rest]}')

    def case_failover_datagrams(self):
        first, second = self.udp(alone=False), self.udp(alone=False)
        host, port = first.socket.getsockname()
        agent = self.agent([{'policy': 'failover', 'collectors': [first.url, second.url]}],
                           reconnect_seconds=60)
        made = self.sessions()
        self.wait_for(first, made)
        first.socket.close()
        rest = 0
        for _ in range(5):
            rest += self.sessions(2)
            time.sleep(0.1)
        # The datagram that is refused is lost, and may be counted.
        self.wait_for(second, rest - 4 * RECORDS)
        agent.stop()
        second.finish()
        print(f'    {len(second.records)} of {rest} records after the first collector died')

    def case_hash(self):
        group = [self.udp(), self.udp(), self.udp()]
        agent = self.agent([{'policy': 'hash', 'collectors': [r.url for r in group]}])
        made = self.sessions(40)
        agent.stop()
        events = {}
        for receiver in group:
            receiver.finish()
            check(receiver.records, 'a collector got nothing')
            for record in receiver.records:
                events.setdefault(record.number(148), []).append((receiver, record.number(233)))
        check(len(events) == made // 2, f'{len(events)} flows of {made // 2}')
        for flow, seen in events.items():
            check([event for _, event in seen] == [START, END] and seen[0][0] is seen[1][0],
                  f'flow {flow}: {seen}')
        print(f'    {[len(r.records) for r in group]} records')

    # --- signals ---

    def case_reload(self):
        kept, first, added = self.udp(), self.tcp(), self.tcp()
        path = self.sockflow.config()
        reloads = 0

        def reload(text, pattern):
            nonlocal reloads
            begin = len(agent.lines)
            path.write_text(text)
            agent.process.send_signal(signal.SIGHUP)
            self.wait(lambda: any(re.search(pattern, line) for line in agent.lines[begin:]),
                      f'"{pattern}" in the log')
            reloads += 1
            time.sleep(0.3)

        agent = self.agent([kept, first], path=path)
        with session_load.Load(600, 150, SOURCE) as load:
            made = load.records
            first.wait_for_session(1)
            reload(self.configuration([kept, first, added]), '(?i)info.*configuration')
            added.wait_for_session(1)
            # Another profile: a new session, and counters that begin anew.
            first.exporter_restarts()
            reload(self.configuration([kept, {'url': first.url, 'profile': 'iana'}, added]),
                   '(?i)info.*configuration')
            first.wait_for_session(2)
            reload('exporter:\n  chunk_size: many\n', r'(?i)(warning|error).*exporter\.chunk_size')
            reload(self.configuration([kept, added]), '(?i)info.*configuration')
            first.wait_for_end()
            load.join()
        held_until_end = self.sessions()
        made += held_until_end
        self.wait_for(kept, made)
        self.wait_for(added, held_until_end)
        agent.stop()
        for receiver in (kept, first, added):
            receiver.finish()
        print(f'    {reloads} reloads, {len(kept.records)} records where nothing changed, '
              f'{len(first.records)} at the removed one, {len(added.records)} at the new one')
        check(len(kept.records) == made, f'{len(kept.records)} records of {made}')
        check(kept.validator.sessions == 1, 'the collector that stayed was connected anew')
        check(first.validator.sessions == 2 and first.sessions[0].end == 'closed',
              f'{first.validator.sessions} sessions, the first {first.sessions[0].end}')
        check(all(f.pen == 0 for fields in first.validator.templates.values() for f in fields),
              'the profile has not changed')

    def case_orderly_end(self):
        certificates = tls_certificates.Certificates(self.new_folder())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.collector.certificate, certificates.collector.key)
        context.load_verify_locations(certificates.authority.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        for number in (signal.SIGTERM, signal.SIGINT):
            tcp, tls = self.tcp(), self.tcp(tls=context)
            slow = self.tcp(receive_buffer=4096)
            agent = self.agent([tcp, {'url': tls.url, 'tls': certificates.of_exporter()}, slow],
                               interval_seconds=60)
            for receiver in (tcp, tls, slow):
                receiver.wait_for_session(1)
            slow.reading.clear()
            made = self.sessions(300)
            tcp.receive_all()
            check(len(tcp.records) < made, 'nothing waits for its message to fill')
            threading.Timer(0.5, slow.reading.set).start()
            agent.stop(number)
            for receiver in (tcp, tls, slow):
                receiver.wait_for_end()
                receiver.finish()  # a FIN, and a close_notify before it
                check(len(receiver.records) == made, f'{len(receiver.records)} of {made}')

    # --- pace ---

    def slow_pace(self):
        """A collector that reads all the time with the default receive buffer loses nothing."""
        sessions, per_second = 50000, 5000
        udp = self.udp(receive_buffer=None)
        octets = udp.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        raw, done = [], threading.Event()

        def read():
            udp.socket.settimeout(0.1)
            while not done.is_set():
                with contextlib.suppress(TimeoutError):
                    raw.append(udp.socket.recv(65535))
        thread = threading.Thread(target=read)
        thread.start()
        try:
            agent = self.agent([udp], interval_seconds=1)
            with session_load.Load(sessions, per_second, SOURCE) as load:
                rate = load.join()
            statistics = agent.stop()
            time.sleep(0.2)
        finally:
            done.set()
            thread.join()
        print(f'    {rate:.0f} sessions/s, receive buffer {octets}, {len(raw)} datagrams, '
              f'{udp.dropped} dropped\n    {statistics}')
        check(rate > 0.8 * per_second, f'only {rate:.0f} sessions/s were made')
        check(udp.dropped == 0, f'{udp.dropped} datagrams were dropped')
        exported = re.search(r'exported (\d+) records in (\d+) messages, lost 0 records', statistics)
        check(exported and int(exported[2]) == len(raw) and
              int(exported[1]) == sessions * RECORDS,
              f'{len(raw)} datagrams, {sessions * RECORDS} records were made')
        for message in raw[:SAMPLE]:  # to look at all takes longer than all the rest
            udp.validator.feed(message)


def main():
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        sockflow = programs.Sockflow(sys.argv[1], folder)
        sockflow.skip_unless_it_captures()
        delivery = Delivery(sockflow, folder)
        names = programs.chosen_cases(delivery, sys.argv[2:])
        for name in names:
            print(f'{name}:', flush=True)
            begin = time.monotonic()
            delivery.programs = []
            try:
                with contextlib.ExitStack() as delivery.stack:
                    getattr(delivery, name)()
                result = 'ok'
            except (programs.Failure, ipfix_validator.Violation, OSError) as failure:
                result = f'FAILED: {failure}'
                if isinstance(failure, OSError):
                    traceback.print_exc()
                for program in delivery.programs:
                    print('    ' + '\n    '.join(program.lines[-LOG_LINES:]))
                failed.append(name)
            print(f'  {result}, {time.monotonic() - begin:.1f} s', flush=True)
    print(f'{len(names) - len(failed)} passed, {len(failed)} failed {failed}')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
