# SPDX-License-Identifier: MIT
"""Facts that cannot be had and facts that are hostile: records go on, whole, and what is missing is counted.

trouble_test.py SOCKFLOW [case...]
"""
import collections
import json
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import namespaces
import programs
from programs import check

NOBODY = 65534
CREATED, DELETED = 1, 2
# Kept apart from all else on this machine.
SOURCE = programs.own_address()
CONFIG = (f'bpf:\n  source_host: {SOURCE}\nexporter:\n  pen: 32473\n  interval_seconds: 0.1\n'
          'process:\n  command_line: true\n')
LONGEST_COMMAND_LINE = 256
# Without a look at anything but its arguments, so that it starts soon.
CONNECT = ('import socket,sys;s=socket.socket();s.bind((sys.argv[1],0));'
           's.connect(("127.0.0.1",int(sys.argv[2])));{}s.close()')
HOSTILE = (b'a\nb', b'\x1b[31m\x1b]0;title\x07', b'\xff\xfe\xed\xa0\x80', b'"},{"x":"', b'\x7f\xc2\x9b\r\t',
           b'\xe2\x80\xaetxt', b"';--", b'%s%n')
PROCESSES = 2000
DELAY_SECONDS = 5


class Run:
    """An agent, what it prints and what a collector has of it, in the end the same."""

    def __init__(self, sockflow, prefix=(), config=CONFIG, binary=None):
        self.sockflow = programs.Sockflow(binary or sockflow.binary, sockflow.folder)
        folder = pathlib.Path(tempfile.mkdtemp(dir=sockflow.folder))
        self.output, self.printed = folder / 'collected', folder / 'printed'
        self.prefix, self.settings = prefix, config

    def __enter__(self):
        port = programs.free_udp_port()
        self.collector = self.sockflow.collector(port, self.output)
        with open(self.printed, 'wb') as stdout:
            self.agent = self.sockflow.agent('--collector', f'udp://127.0.0.1:{port}', '--print=json',
                                             '--profile', 'full', config=self.settings, stdout=stdout,
                                             prefix=self.prefix)
        return self

    def __exit__(self, *_):
        self.agent.__exit__()
        self.collector.__exit__()

    def stop(self):
        """Its last line."""
        statistics = self.agent.stop()
        self.collector.stop()
        print(f'    {statistics}')
        check('lost by reason: nothing' in statistics, 'something was lost')
        return statistics

    def records(self):
        """One line for each, every one of them an object; and the same from both."""
        both = [[json.loads(line) for line in path.read_bytes().decode('utf-8').split('\n')[:-1]]
                for path in (self.printed, self.output)]
        ours = [[r for r in records if r.get('sourceIPv4Address') == SOURCE] for records in both]
        check(len(ours[0]) == len(ours[1]), f'{len(ours[0])} records printed, {len(ours[1])} collected')
        return ours[1]

    def wait_for(self, count):
        """Seconds until so many records are there."""
        begin = time.monotonic()
        while (there := self.output.read_bytes().count(b'"firewallEvent"')) < count:
            check(time.monotonic() - begin < DELAY_SECONDS, f'{there} records, not {count}')
            time.sleep(0.02)
        return time.monotonic() - begin


def connect_as(arguments, listener, prepare=None, stay=None):
    """A session of a process with these arguments behind those it needs; its pid. The process ends at once,
    or when stay() has returned."""
    script = CONNECT.format('s.recv(1);' if stay else '')
    child = subprocess.Popen([sys.executable, '-I', '-S', '-c', script, SOURCE,
                              str(listener.getsockname()[1]), *arguments], preexec_fn=prepare)
    accepted, _ = listener.accept()
    if stay:
        stay()
        accepted.sendall(b'.')
    check(child.wait(20) == 0, 'the child has failed')
    check(accepted.recv(1) == b'', 'more than was sent')
    accepted.close()
    return child.pid


def of_client(records, pid):
    mine = [r for r in records if r.get('SRC_PROC_PID') == pid]
    check([r['firewallEvent'] for r in mine] == [CREATED, DELETED], f'records of {pid}: {mine}')
    return mine


class Tests:
    def __init__(self, sockflow):
        self.sockflow = sockflow
        # A copy: others may not see where we build.
        os.chmod(sockflow.folder, 0o755)
        self.copy = shutil.copy(sockflow.binary, sockflow.folder / 'sockflow')
        self.listener = socket.create_server(('127.0.0.1', 0))

    def sees_nothing_in_proc(self, *prefix):
        with Run(self.sockflow, prefix, binary=self.copy) as run:
            sessions = 20
            pids = [connect_as(['argument'], self.listener) for _ in range(sessions)]
            took = run.wait_for(4 * sessions)
            statistics = run.stop()
        records = run.records()
        check('facts not found: ' in statistics, 'what is missing is not counted')
        check(len(records) == 4 * sessions, f'{len(records)} records')
        executable = os.path.realpath(sys.executable)
        known = collections.Counter()
        for pid in pids:
            for record in records if programs.IS_PCAP else of_client(records, pid):
                if record.get('SRC_PROC_PID') != pid:
                    continue
                known['name'] += record['SRC_PROC_NAME'].startswith('python')
                known['executable'] += record['SRC_PROC_PKG_NAME'] == executable
                known['command line'] += ' argument' in record['SRC_PROC_CMDLINE']
                known['cgroup'] += record['processCgroupPath'].startswith('/')
        print(f'    of {2 * sessions} records of clients: {dict(known)}; the last after {took:.1f} s')
        # Packets bring no facts with them: all that is known is looked up.
        check(programs.IS_PCAP or set(known.values()) == {2 * sessions}, 'what the kernel half tells is missing')

    def case_hidden_processes(self):
        mount = ['mount', '-t', 'proc', '-o', 'hidepid=2', 'proc', '/proc']
        capabilities = '+net_raw' if programs.IS_PCAP else '+bpf,+perfmon'
        self.sees_nothing_in_proc(
            *namespaces.private_mounts(mount), 'setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}',
            '--clear-groups', f'--inh-caps=-all,{capabilities}', f'--ambient-caps=-all,{capabilities}',
            f'--bounding-set=-all,{capabilities}', '--no-new-privs')

    def case_no_proc(self):
        self.sees_nothing_in_proc(*namespaces.private_mounts(['umount', '--lazy', '/proc']))

    def case_hostile_command_lines(self):
        def with_room():
            # A quarter of it may be arguments (execve(2)).
            resource.setrlimit(resource.RLIMIT_STACK, (64 << 20, resource.RLIM_INFINITY))
        # The longest of all that one argument may be, and 2 MiB of them.
        long = [b'x' * 131_000] * 16
        with Run(self.sockflow) as run:
            pids = {}
            for arguments in [long, *([name, b'', name] for name in HOSTILE)]:
                # Without hooks the arguments are looked up once a packet shows the session: until both starts.
                stay = (lambda: run.wait_for(4 * len(pids) + 2)) if programs.IS_PCAP else None
                pids[connect_as(arguments, self.listener, with_room, stay)] = arguments
            run.wait_for(4 * len(pids))
            run.stop()
        records = run.records()
        for pid, arguments in pids.items():
            for record in of_client(records, pid):
                said = record['SRC_PROC_CMDLINE']
                check(said.startswith(f'{sys.executable} -I -S -c import socket'), f'{said!r}')
                check(len(said.encode()) <= LONGEST_COMMAND_LINE, f'{len(said.encode())} octets: {said!r}')
                if arguments is long:
                    check(said.endswith('x...'), f'not cut: {said!r}')
                    continue
                try:
                    check(arguments[0].decode() in said, f'{arguments[0]!r} is shown as {said!r}')
                except UnicodeDecodeError:
                    check('\ufffd' in said, f'{arguments[0]!r} is shown as {said!r}')
        print(f'    {len(pids)} command lines, one of {sum(map(len, long))} octets')

    def case_hostile_cgroups(self):
        root = next((pathlib.Path(line.split()[1]) for line in open('/proc/self/mounts', encoding='utf-8')
                     if line.split()[2] == 'cgroup2'), None)
        if root is None:
            print('    no cgroup v2 is mounted here')
            return
        base = os.fsencode(root / f'sockflow-trouble-{os.getpid()}')
        deep = b'/'.join([b'd' * 250] * 16)
        # The kernel wants no newline in one (cgroup_mkdir()).
        paths = [deep, *(name for name in HOSTILE if b'\n' not in name)]
        try:
            os.mkdir(base)
            with Run(self.sockflow) as run:
                pids = {}
                for path in paths:
                    make_cgroup(base, path)
                    pids[connect_as([], self.listener, lambda: enter_cgroup(base, path))] = path
                run.wait_for(4 * len(pids))
                run.stop()
        finally:
            remove_cgroups(base)
        records = run.records()
        for pid, path in pids.items():
            for record in of_client(records, pid):
                said = record['processCgroupPath']
                check(len(said.encode()) <= 4096 and said, f'{len(said)} characters: {said!r}')
                if path is deep:
                    check(said.startswith('.../') and said.endswith('d' * 250), f'{said!r}')
                    continue
                try:
                    check(said.endswith('/' + path.decode()), f'{path!r} is shown as {said!r}')
                except UnicodeDecodeError:
                    check('\ufffd' in said, f'{path!r} is shown as {said!r}')
        print(f'    {len(pids)} cgroups, one {len(deep)} octets deep')

    def case_many_processes_with_changing_names(self):
        with Run(self.sockflow) as run:
            begin = time.monotonic()
            truth = dict(self.renamed(i) for i in range(PROCESSES))
            took = time.monotonic() - begin
            delay = run.wait_for(4 * PROCESSES)
            pages = int(pathlib.Path(f'/proc/{run.agent.process.pid}/statm').read_text().split()[1])
            run.stop()
        records = run.records()
        # Some hosts keep BPF programs from running while an interrupt meets certain tasks: an end may be missing.
        events = collections.Counter(record['firewallEvent'] for record in records)
        check(events[CREATED] == 2 * PROCESSES, f'{events[CREATED]} starts')
        check(2 * PROCESSES * 0.999 <= events[DELETED] <= 2 * PROCESSES, f'{events[DELETED]} ends')
        right = collections.Counter()
        for record in records:
            if 'SRC_PROC_PID' in record:
                name = truth[record['SRC_PROC_PID']]
                right[record['SRC_PROC_NAME'] == name] += 1
        print(f'    {PROCESSES} processes, {PROCESSES / took:.0f} a second; the last record after {delay:.1f} s; '
              f'{right[True]} records with the name at connect(); {pages * 4 // 1024} MiB')
        check(not right[False] and right[True] >= 2 * PROCESSES * 0.999, 'names of another moment')

    def renamed(self, number):
        """(pid, its name as it connects): a process has two others, and is gone at once."""
        name = f'at-connect-{number % 9973}'
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                programs.name_process(b'before')
                with socket.socket() as client:
                    client.bind((SOURCE, 0))
                    programs.name_process(name.encode())
                    client.connect(self.listener.getsockname())
                    programs.name_process(b'after\n')
                status = 0
            finally:
                os._exit(status)
        self.listener.accept()[0].close()
        check(os.waitpid(pid, 0)[1] == 0, 'the child has failed')
        return pid, name[:15]


def make_cgroup(base, path):
    """Step by step: a whole path may be longer than the kernel takes (PATH_MAX)."""
    at = os.open(base, os.O_RDONLY)
    for part in path.split(b'/'):
        os.mkdir(part, dir_fd=at)
        below = os.open(part, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


def enter_cgroup(base, path):
    os.chdir(base)
    for part in path.split(b'/'):
        os.chdir(part)
    with open('cgroup.procs', 'w', encoding='ascii') as processes:
        processes.write(str(os.getpid()))


def remove_cgroups(base):
    """Bottom up, each from within the one above."""
    def remove_in(at):
        for entry in os.scandir(at):
            if entry.is_dir(follow_symlinks=False):
                below = os.open(entry.name, os.O_RDONLY, dir_fd=at)
                remove_in(below)
                os.close(below)
                os.rmdir(entry.name, dir_fd=at)
    if os.path.exists(base):
        at = os.open(base, os.O_RDONLY)
        remove_in(at)
        os.close(at)
        os.rmdir(base)


if __name__ == '__main__':
    programs.run_capturing_cases(Tests)
