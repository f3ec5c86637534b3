# SPDX-License-Identifier: MIT
"""The static sockflow in a root directory that holds no other file.

static_chroot_test.py SOCKFLOW [CASE...]
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import namespaces
import programs
from programs import Failure, Program, check, make_session
from receiver import read_elements

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'interop'))
import tls_certificates  # noqa: E402
import tls_server  # noqa: E402

PORT = programs.free_udp_port()
NAME = 'collector.example'
INFO = re.compile(r'^\S+ \S+ info ')
SECONDS = 15
# Modules that the system's configuration names. Each is a pipe: who opens one waits for ever. The
# first is where a static program looks for those of the C library, on every architecture.
NAME_MODULE = 'lib/libnss_elsewhere.so.2'
OPENSSL_MODULE = 'module.so'
OPENSSL_CONFIG = f'''openssl_conf = all
[all]
providers = named
[named]
ours = ours
default = standard
[standard]
activate = 1
[ours]
module = /{OPENSSL_MODULE}
activate = 1
'''


class Root:
    """A root directory with sockflow, and the files {path: text, or None for a pipe}."""

    def __init__(self, binary, folder, files=None):
        self.path = pathlib.Path(tempfile.mkdtemp(dir=folder))
        shutil.copy(binary, self.path / 'sockflow')
        for name, text in (files or {}).items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                os.mkfifo(self.path / name)
            else:
                (self.path / name).write_text(text)

    def start(self, *arguments, prefix=(), **options):
        # Without the machine's settings, such as where it keeps CAs.
        return Program([*prefix, 'chroot', self.path, '/sockflow', *arguments],
                       env={'PATH': os.environ['PATH']}, **options)

    def start_on_host(self, *arguments):
        """With /proc and /sys, which only this program sees."""
        mounts = []
        for name in ('proc', 'sys'):
            (self.path / name).mkdir(exist_ok=True)
            mounts.append(['mount', '--rbind', f'/{name}', self.path / name])
        return self.start(*arguments, prefix=namespaces.private_mounts(*mounts))

    def output(self, *arguments):
        with open(self.path / 'stdout', 'w+', encoding='utf-8') as stdout:
            with self.start(*arguments, stdout=stdout) as program:
                check(program.join(SECONDS) == 0, f'{arguments} has failed:\n{program.log}')
            stdout.seek(0)
            return stdout.read()

    def complaint(self, *arguments):
        """The one sentence of a program that fails."""
        with self.start(*arguments) as program:
            status = program.join(SECONDS)
        said = [line for line in program.lines if not INFO.match(line)]
        check(status == 1 and len(said) == 1, f'exit status {status}:\n{program.log}')
        print(f'    {said[0]}')
        return said[0]


class Static:
    def __init__(self, sockflow):
        self.sockflow = sockflow
        self.binary, self.folder = sockflow.binary, sockflow.folder

    def root(self, files=None):
        return Root(self.binary, self.folder, files)

    def case_file(self):
        headers = subprocess.run(['readelf', '--wide', '--segments', '--sections', '--version-info',
                                  self.binary], capture_output=True, text=True, check=True).stdout
        for word in ('INTERP', 'DYNAMIC', '.debug_', 'GLIBC_'):
            check(word not in headers, f'{word} in the file:\n{headers}')
        print(f'    {self.binary.stat().st_size / 1e6:.1f} MB')

    def case_nothing_there(self):
        root = self.root()
        check(root.output('--version').startswith('sockflow '), 'no version')
        check('userName' in root.output('fields'), 'no fields')
        said = root.complaint('run', '--duration', '1', '--tier', 'tracepoint', '--collector',
                              f'udp://127.0.0.1:{PORT}')
        check('/sys must be mounted' in said, said)
        said = root.complaint('collect', '--duration', '1', '--listen', f'udp://{NAME}:{PORT}')
        check(f'host {NAME} cannot be looked up' in said and 'use an address' in said, said)
        said = root.complaint('collect', '--duration', '1', '--listen', f'udp://192.0.2.1:{PORT}')
        check('192.0.2.1' in said, said)

    def case_collect(self):
        root = self.root()
        with root.start('collect', '--listen', f'udp://[::1]:{PORT}', '--listen',
                        f'udp://127.0.0.1:{PORT}', '--output', '/records') as collector:
            collector.wait_for(f'listening on .*udp://127.0.0.1:{PORT}')
            collector.stop()

    def case_names(self):
        """By /etc/hosts, whatever module /etc/nsswitch.conf would have loaded."""
        root = self.root({'etc/nsswitch.conf': 'hosts: elsewhere files dns\n',
                          'etc/hosts': f'127.0.0.1 {NAME}\n', NAME_MODULE: None})
        with root.start('collect', '--listen', f'udp://{NAME}:{PORT}') as collector:
            collector.wait_for('listening on')
            collector.stop()

    def case_whole(self):
        root = self.root()
        with root.start('collect', '--listen', f'udp://127.0.0.1:{PORT}', '--format', 'json',
                        '--output', '/records') as collector:
            collector.wait_for('listening on')
            with root.start_on_host('run', '--collector', f'udp://127.0.0.1:{PORT}') as agent:
                agent.wait_for('capture tier: ')
                client, server = make_session()
                agent.stop()
            collector.stop()
        records = [json.loads(line) for line in (root.path / 'records').read_text().splitlines()]
        ours = [r for r in records if (r.get('sourceTransportPort'),
                                       r.get('destinationTransportPort')) == (client, server)]
        check(len(ours) == 4, f'{len(ours)} records of one session:\n{agent.log}')
        for record in ours:
            pid = record.get('SRC_PROC_PID', record.get('DST_PROC_PID'))
            check(pid == os.getpid(), f'not ours: {record}')
            # There is no /etc/passwd.
            check(record['userName'] == str(os.getuid()), f'whose is it: {record}')

    def case_unknown_name(self):
        with self.root().start_on_host('run', '--collector', f'udp://{NAME}:{PORT}') as agent:
            agent.wait_for('capture tier: ')
            make_session()
            said = agent.wait_for(f'warning .*host {NAME} .*').group()
            check('use an address' in said, said)
            print(f'    {said}')
            agent.stop()

    def case_tls(self):
        """With the CAs of a distribution, and with none."""
        made = tls_certificates.Certificates(pathlib.Path(tempfile.mkdtemp(dir=self.folder)))
        ca = made.authority.certificate.read_text()
        others = {f'{kind}.pem': getattr(made.exporter, kind).read_text()
                  for kind in ('certificate', 'key')}
        others |= {'usr/lib/ssl/openssl.cnf': OPENSSL_CONFIG, OPENSSL_MODULE: None}
        elements = read_elements(self.sockflow)
        for name, words in (('etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem', None),
                            ('etc/ssl/certs/ca-certificates.crt', None),
                            ('nowhere', 'unknown CA.*set tls.ca')):
            root = self.root({name: ca, **others})
            with tls_server.Server(elements, 'tls', made.collector, made.authority) as server:
                (root.path / 'config.yaml').write_text(
                    f'collectors:\n  - url: {server.url}\n    tls:\n'
                    '      certificate: /certificate.pem\n      key: /key.pem\n')
                with root.start_on_host('run', '--config', '/config.yaml') as agent:
                    agent.wait_for('capture tier: ')
                    make_session()
                    if words:
                        print(f'    {agent.wait_for(words).string}')
                    deadline = time.monotonic() + SECONDS
                    while not words and not server.octets:
                        check(time.monotonic() < deadline, f'with {name}: nothing:\n{agent.log}')
                        time.sleep(0.05)
                    agent.stop()


def main():
    binary = pathlib.Path(sys.argv[1])
    if not binary.exists():
        programs.skip(f'{binary} has not been built: make static')
    if os.geteuid() != 0:
        programs.skip('not root: chroot needs it')
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        sockflow = programs.Sockflow(binary, folder)
        sockflow.skip_unless_it_captures()
        tests = Static(sockflow)
        for name in programs.chosen_cases(Static, sys.argv[2:]):
            print(f'{name}:', flush=True)
            try:
                getattr(tests, name)()
            except Failure as failure:
                print(f'  FAILED: {failure}', flush=True)
                failed += 1
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
