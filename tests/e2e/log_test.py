# SPDX-License-Identifier: MIT
"""The log as the journal, a log shipper and a person get it.

log_test.py SOCKFLOW [CASE...]
"""
import json
import os
import re
import signal
import subprocess
import time

import programs
from programs import check, make_session

SECRET = 'hunter2'
TEXT = re.compile(r'^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (trace|debug|info|warning|error) \S')
TIME = re.compile(r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$')
START = r'sockflow \d+\.\d+\.\d+ on Linux \S+: tier (\w+); facts: .*; to {}; metrics off$'
STORM = 300


class Log:
    def __init__(self, sockflow):
        self.sockflow = sockflow

    def collector(self):
        return f'udp://127.0.0.1:{programs.free_udp_port()}'

    def lines(self, config, sessions=0, prefix=()):
        """Those of a whole life, and the collector."""
        collector = self.collector()
        with self.sockflow.agent('--collector', collector, config=config, prefix=prefix) as agent:
            agent.wait_for('older sessions')
            for _ in range(sessions):
                make_session()
            agent.stop()
            return list(agent.lines), collector

    def case_text(self):
        lines, collector = self.lines('log: {format: text}\n')
        check(all(map(TEXT.match, lines)), lines)
        check(sum(bool(re.search(START.format(re.escape(collector) + r' \(process, start\+update\+end\)'), line))
                  for line in lines) == 1, lines)

    def case_json(self):
        lines, collector = self.lines('log: {format: json, level: debug}\n')
        objects = [json.loads(line) for line in lines]
        for one in objects:
            check(list(one) == ['time', 'level', 'message'] and TIME.match(one['time']), one)
        check({one['level'] for one in objects} >= {'debug', 'info'}, lines)
        check(any(collector in one['message'] for one in objects), lines)

    def case_journald(self):
        lines, _ = self.lines('log: {format: journald}\n')
        check(all(re.match(r'^<[3-7]>\S', line) for line in lines), lines)

    def case_the_journal_is_found_by_itself(self):
        # As systemd does: the variable names the very file that standard error is.
        script = 'export JOURNAL_STREAM=$(stat -L -c %d:%i /dev/stderr); exec "$@"'
        lines, _ = self.lines('log: {format: auto}\n', prefix=('sh', '-c', script, 'sh'))
        check(all(re.match(r'^<[3-7]>\S', line) for line in lines), lines)
        # Inherited from a service, but standard error leads elsewhere.
        lines, _ = self.lines('log: {format: auto}\n', prefix=('env', 'JOURNAL_STREAM=1:1'))
        check(all(map(TEXT.match, lines)), lines)
        # Before there is a configuration that says how to log.
        config = self.sockflow.config('log: {format: jsn}\nexporter: {chunk_size: x}\n')
        done = subprocess.run(['sh', '-c', script, 'sh', self.sockflow.binary, 'run', '--config', config],
                              capture_output=True, text=True, timeout=20, check=False)
        check(done.returncode == 2 and len(done.stderr.splitlines()) == 2 and
              all(line.startswith('<3>') for line in done.stderr.splitlines()), done.stderr)

    def case_no_line_for_an_event(self):
        few, _ = self.lines('')
        many, _ = self.lines('', sessions=500)
        # One may be of records that the collector, which is none, refuses.
        check(len(many) <= len(few) + 2, '\n'.join(many))

    def case_storm(self):
        with self.sockflow.agent('--collector', self.collector()) as agent:
            agent.wait_for('older sessions')
            for _ in range(STORM):
                agent.process.send_signal(signal.SIGHUP)
                time.sleep(0.005)
            agent.wait_for('configuration read again')
            time.sleep(0.5)
            agent.stop()
            said = [line for line in agent.lines if 'configuration read again' in line]
        held = [int(match[1]) for line in said
                if (match := re.search(r'\((\d+) more like it in 60 s\)$', line))]
        check(len(said) == 61 and len(held) == 1 and 0 < held[0] < STORM, '\n'.join(said))
        print(f'    {STORM} SIGHUPs: {len(said)} lines, {held[0]} held back')

    def case_secrets(self):
        said = []
        for text in (f'collectors: ["udp://user:{SECRET}@192.0.2.1"]\n',
                     f'collectors: ["user:{SECRET}@192.0.2.1"]\n',
                     f'collector: {{host: "user:{SECRET}@192.0.2.1"}}\n',
                     f'collectors: [{{url: "tls://user:{SECRET}/x@192.0.2.1"}}]\n',
                     f'kubernetes: {{api_server: "https://user:{SECRET}@192.0.2.1"}}\n',
                     f'metrics: {{listen: "user:{SECRET}@127.0.0.1:9841"}}\n',
                     f'bpf: {{source_host: "user:{SECRET}@192.0.2.1"}}\n'):
            with self.sockflow.agent('--log-level', 'trace', config=text, ready=False) as agent:
                check(agent.join(10) == 2, agent.log)
                said += agent.lines
        with self.sockflow.agent('--collector', f'udp://user:{SECRET}@192.0.2.1', ready=False) as agent:
            check(agent.join(10) == 2, agent.log)
            said += agent.lines
        # What is in the environment of a pod, and in the files that its configuration names.
        token = self.sockflow.folder / 'token'
        token.write_text(SECRET)
        environment = dict(os.environ, KUBERNETES_SERVICE_HOST='127.0.0.1', KUBERNETES_SERVICE_PORT='1',
                           NODE_NAME='node')
        ca = self.sockflow.folder / 'ca.crt'
        ca.write_text('')
        with self.sockflow.agent('--collector', self.collector(), '--log-level', 'trace',
                                 config=f'kubernetes: {{enabled: true, token_file: "{token}", ca_file: "{ca}"}}\n',
                                 ready=False, env=environment) as agent:
            # It has read the token, and says why it is of no use; or it was built to read none.
            agent.wait_for('pods are not up to date|built without')
            agent.process.terminate()
            agent.join(10)
            said += agent.lines
        check(len(said) > 10, said)
        told = [line for line in said if SECRET in line]
        check(not told, '\n'.join(told))
        print(f'    not in {len(said)} lines')


if __name__ == '__main__':
    programs.run_capturing_cases(Log)
