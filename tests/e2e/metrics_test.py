# SPDX-License-Identifier: MIT
"""Metrics and health as others read them: by hand, and by Debian's Prometheus.

metrics_test.py SOCKFLOW CACHE [CASE...]
    CACHE   folder that Prometheus is unpacked in (prometheus_package.py)
"""
import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import programs
import prometheus_package
from programs import check, make_session, Failure

ROOT = pathlib.Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / 'packaging/grafana/sockflow.json'
RULES = ROOT / 'packaging/prometheus/sockflow.rules.yaml'
OWN_NAME = re.compile(r'\b((?:sockflow|process)_[a-z_]+)\b')
SAMPLE = re.compile(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$')
SOURCE = '127.0.0.78'
PATIENCE = 20
SESSIONS = 40


def free_tcp_port(host='127.0.0.1'):
    with socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def get(port, path, host='127.0.0.1', method='GET'):
    """(status, text)."""
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def samples(text):
    """name -> {labels: value}"""
    found = {}
    for line in text.splitlines():
        if line.startswith('#'):
            continue
        match = SAMPLE.match(line)
        check(match, f'no sample: {line}')
        found.setdefault(match[1], {})[match[2] or ''] = float(match[3])
    return found


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        check(time.monotonic() < deadline, f'not within {PATIENCE} s: {what}')
        time.sleep(0.1)


def config_of(listen, more=''):
    return f'bpf: {{source_host: {SOURCE}}}\nmetrics: {{listen: "{listen}"}}\n{more}'


class Metrics:
    def __init__(self, sockflow, cache):
        self.sockflow = sockflow
        self.cache = cache

    def tools(self):
        try:
            return prometheus_package.fetch(self.cache)
        except prometheus_package.Unobtainable as error:
            programs.skip(f'Prometheus cannot be had: {error}')

    def agent(self, listen, *arguments, more='', **options):
        return self.sockflow.agent('--collector', f'udp://127.0.0.1:{programs.free_udp_port()}',
                                   *arguments, config=config_of(listen, more), **options)

    # --- the pages ---

    def case_figures(self):
        port, sink = free_tcp_port(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sink.bind(('127.0.0.1', 0))
        collector = 'udp://127.0.0.1:%d' % sink.getsockname()[1]
        with sink, self.sockflow.agent('--collector', collector, config=config_of(
                f'127.0.0.1:{port}', 'exporter: {interval_seconds: 0}\n')) as agent:
            for _ in range(SESSIONS):
                make_session(source=SOURCE)
            label = f'collector="{collector}"'

            def sent():
                found = samples(get(port, '/metrics')[1])
                return found['sockflow_collector_records_total'][label] == 4 * SESSIONS
            wait_until(sent, f'{4 * SESSIONS} records sent')
            status, text = get(port, '/metrics')
            summary = agent.stop()
        check(status == 200, text)
        found = samples(text)
        # The agent sees other sessions too, if only of who scrapes it: theirs are filtered out.
        check(found['sockflow_session_ends_total'][''] >= 2 * SESSIONS, text)
        check(found['sockflow_filtered_records_total'][''] > 0, text)
        owners = found['sockflow_session_owners_total']
        check(sum(owners.values()) == 2 * SESSIONS, f'owners {owners}')
        events = found['sockflow_capture_events_total']
        check(sum(value for labels, value in events.items() if 'kind="close"' in labels) >=
              2 * SESSIONS, f'events {events}')
        check(found['sockflow_collector_connected'][label] == 1, text)
        check(sum(found['sockflow_lost_events_total'].values()) == 0, text)
        if 'tier="pcap"' not in text:
            check(found['sockflow_ring_buffer_size_bytes'][''] == 4194304 and
                  found['sockflow_ring_buffer_peak_bytes'][''] > 0, text)
        check(5e6 < found['process_resident_memory_bytes'][''] < 100e6, text)
        check(abs(found['process_start_time_seconds'][''] - time.time()) < 120, text)
        check(found['process_cpu_seconds_total'][''] > 0, text)
        check(f'exported {4 * SESSIONS} records' in summary, summary)
        print(f'    {len(text.splitlines())} lines, {sum(map(len, found.values()))} samples')

    def case_format(self):
        promtool = self.tools() / 'promtool'
        port = free_tcp_port()
        with self.agent(f'127.0.0.1:{port}') as agent:
            agent.wait_for('older sessions')
            text = get(port, '/metrics')[1]
        done = subprocess.run([promtool, 'check', 'metrics'], input=text, text=True,
                              capture_output=True, timeout=PATIENCE)
        check(done.returncode == 0 and not done.stdout + done.stderr,
              f'promtool check metrics: {done.stdout}{done.stderr}')
        done = subprocess.run([promtool, 'check', 'rules', RULES], text=True, capture_output=True,
                              timeout=PATIENCE)
        check(done.returncode == 0, f'promtool check rules: {done.stdout}{done.stderr}')
        rules = re.search(r'(\d+) rules found', done.stdout)[1]
        kinds = set(re.findall(r'^# TYPE (\S+)', text, re.M))
        wanted = set(OWN_NAME.findall(RULES.read_text()))
        dashboard = json.loads(DASHBOARD.read_text())
        expressions = [target['expr'] for panel in dashboard['panels']
                       for target in panel.get('targets', ())]
        wanted.update(name for expression in expressions for name in OWN_NAME.findall(expression))
        check(not wanted - kinds, f'no such metrics: {sorted(wanted - kinds)}')
        print(f'    {len(kinds)} metrics, {rules} rules, {len(expressions)} queries of the '
              f'dashboard use {len(wanted)}')
        # No metric is without a place where it is looked at.
        unused = kinds - wanted - {'process_virtual_memory_bytes', 'process_max_fds',
                                   'process_cpu_seconds_total', 'sockflow_build_info'}
        check(not unused, f'nothing shows {sorted(unused)}')

    def case_pages(self):
        for listen, host in (('127.0.0.1', '127.0.0.1'), ('[::1]', '::1'), ('', '127.0.0.1')):
            port = free_tcp_port(host)
            with self.agent(f'{listen}:{port}') as agent:
                agent.wait_for('older sessions')
                check(get(port, '/healthz', host) == (200, 'ok\n'), '/healthz')
                check(get(port, '/readyz', host) == (200, 'ready\n'), '/readyz')
                check(get(port, '/nothing', host)[0] == 404, 'a page that is not there')
                check(get(port, '/metrics', host, 'DELETE')[0] == 405, 'DELETE')
                check(get(port, '/metrics', host, 'HEAD') == (200, ''), 'HEAD')
                check(get(port, '/metrics?x', host)[1].startswith('# HELP '), 'a query')
                agent.stop()

    def case_ready_while_records_have_room(self):
        port, closed = free_tcp_port(), free_tcp_port()
        config = config_of(f'127.0.0.1:{port}', 'exporter: {queue_bytes: 65536}\n')
        with self.sockflow.agent('--collector', f'tcp://127.0.0.1:{closed}', config=config) as agent:
            agent.wait_for('older sessions')
            check(get(port, '/readyz')[0] == 200, 'not ready with an empty queue')
            while get(port, '/readyz')[0] == 200:
                check(agent.process.poll() is None, agent.log)
                for _ in range(50):
                    make_session(source=SOURCE)
            status, text = get(port, '/readyz')
            check(status == 503 and re.match(
                rf'tcp://127\.0\.0\.1:{closed} cannot be reached, and its queue holds \d+ of 65536 octets',
                text), f'{status} {text}')
            print(f'    {text.strip()}')
            check(get(port, '/healthz')[0] == 200, 'it works all the same')
            agent.stop()

    def case_not_served_unless_asked(self):
        with self.sockflow.agent('--collector', f'udp://127.0.0.1:{programs.free_udp_port()}') as agent:
            listing = subprocess.run(['ss', '-tlnp'], capture_output=True, text=True, check=False)
            check(f'pid={agent.process.pid},' not in listing.stdout, listing.stdout)

    # --- trouble ---

    def fails(self, pattern, config, *arguments):
        with self.sockflow.agent(*arguments, config=config, ready=False) as agent:
            check(agent.join(10) == 1, f'exit status\n{agent.log}')
            complaint = agent.find(pattern)
            check(complaint, f'no "{pattern}":\n{agent.log}')
            check(not agent.find('capture tier'), 'it captured all the same')
            print(f'    {agent.lines[-1]}')

    def case_second_instance(self):
        port = free_tcp_port()
        with self.agent(f'127.0.0.1:{port}') as agent:
            self.fails(rf'error metrics\.listen: .*port {port} is in use; stop the program',
                       config_of(f'127.0.0.1:{port}'))
            # Of a file there are no metrics, and nothing is in the way.
            capture = self.sockflow.folder / 'empty.pcap'
            capture.write_bytes(bytes.fromhex('d4c3b2a1020004000000000000000000ffff000001000000'))
            with self.sockflow.agent('--read', capture, config=config_of(f'127.0.0.1:{port}'),
                                     ready=False, tier=False) as reader:
                check(reader.join(10) == 0, reader.log)
            check(get(port, '/healthz')[0] == 200, 'the first one is gone')
            agent.stop()
        # Connections of the one before linger in TIME_WAIT, and do not matter.
        with self.agent(f'127.0.0.1:{port}') as agent:
            agent.stop()

    def case_address_of_another_host(self):
        self.fails(r'error metrics\.listen: .*this host has no address 192\.0\.2\.9',
                   config_of('192.0.2.9:9841'))

    def case_reload_says_what_needs_a_restart(self):
        port = free_tcp_port()
        with self.agent(f'127.0.0.1:{port}') as agent:
            path = pathlib.Path(agent.process.args[agent.process.args.index('--config') + 1])
            path.write_text(config_of('127.0.0.1:1'))
            agent.process.send_signal(1)
            agent.wait_for('warning metrics.listen takes effect when the agent is started again')
            check(get(port, '/healthz')[0] == 200, 'it stopped serving')
            agent.stop()

    def case_slow_readers(self):
        port = free_tcp_port()
        with self.agent(f'127.0.0.1:{port}') as agent:
            agent.wait_for('older sessions')
            slow = [socket.create_connection(('127.0.0.1', port)) for _ in range(200)]
            for one in slow:
                try:
                    one.send(b'GET /metr')
                except OSError:
                    pass  # those before it are sent away
            begin = time.monotonic()
            check(get(port, '/healthz')[0] == 200, 'kept out')
            took = time.monotonic() - begin
            check(took < 3, f'{took:.1f} s')
            for one in slow:
                one.close()
            agent.stop()

    # --- cost ---

    def case_idle_costs_nothing(self):
        port, seconds = free_tcp_port(), 5
        with self.agent(f'127.0.0.1:{port}') as agent:
            agent.wait_for('older sessions')
            get(port, '/metrics')
            time.sleep(7)  # longer than a connection may last
            before = self.switches(agent.process.pid)
            time.sleep(seconds)
            after = self.switches(agent.process.pid)
            asleep = [thread for thread in before if after.get(thread) == before[thread]]
            rss = int(re.search(r'VmRSS:\s+(\d+)', pathlib.Path(
                f'/proc/{agent.process.pid}/status').read_text())[1]) / 1024
            print(f'    {len(asleep)} of {len(before)} threads never woke; {rss:.1f} MB resident')
            # That of signals, and the server.
            check(len(asleep) >= 2, f'{before} {after}')
            check(rss <= 20, f'{rss:.1f} MB resident')
            agent.stop()

    @staticmethod
    def switches(pid):
        found = {}
        for thread in pathlib.Path(f'/proc/{pid}/task').iterdir():
            found[thread.name] = re.search(r'^voluntary_ctxt_switches:\s+(\d+)',
                                           (thread / 'status').read_text(), re.M)[1]
        return found

    # --- Prometheus itself ---

    def case_prometheus(self):
        tools, folder = self.tools(), self.sockflow.folder / 'prometheus'
        port, own = free_tcp_port(), free_tcp_port()
        folder.mkdir()
        (folder / 'prometheus.yml').write_text(json.dumps({
            'global': {'scrape_interval': '200ms', 'evaluation_interval': '200ms'},
            'rule_files': [str(RULES)],
            'scrape_configs': [{'job_name': 'sockflow',
                                'static_configs': [{'targets': [f'127.0.0.1:{port}']}]}]}))
        sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sink.bind(('127.0.0.1', 0))
        config = config_of(f'127.0.0.1:{port}', 'exporter: {interval_seconds: 0}\n')
        with sink, self.sockflow.agent('--collector', 'udp://127.0.0.1:%d' % sink.getsockname()[1],
                                       config=config) as agent, \
                programs.Program([tools / 'prometheus', '--config.file', folder / 'prometheus.yml',
                                  '--storage.tsdb.path', folder / 'data',
                                  '--web.listen-address', f'127.0.0.1:{own}',
                                  # Debian's package unpacked elsewhere has none of its pages.
                                  '--web.console.templates', folder,
                                  '--web.console.libraries', folder],
                                 env=dict(os.environ, no_proxy='*')) as prometheus:
            prometheus.wait_for('Server is ready to receive web requests')

            def ask(what):
                opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                with opener.open(f'http://127.0.0.1:{own}/api/v1/{what}', timeout=PATIENCE) as answer:
                    return json.load(answer)['data']

            def query(expression):
                result = ask('query?' + urllib.parse.urlencode({'query': expression}))['result']
                return float(result[0]['value'][1]) if len(result) == 1 else None

            def rules():
                return [rule for group in ask('rules')['groups'] for rule in group['rules']]

            wait_until(lambda: query('up{job="sockflow"}') == 1, 'a scrape')
            for _ in range(SESSIONS):
                make_session(source=SOURCE)
            wait_until(lambda: query('sum(sockflow_collector_records_total)') == 4 * SESSIONS,
                       f'{4 * SESSIONS} records')
            ends = query('sockflow_session_ends_total')
            closes = query('sum(sockflow_capture_events_total{kind="close"})')
            check(ends >= 2 * SESSIONS and closes >= 2 * SESSIONS, f'{ends} ends, {closes} closes')
            check(query('changes(process_start_time_seconds[1m])') == 0, 'its start changes')
            # Rules are evaluated, each without an error, and nothing is wrong here.
            wait_until(lambda: all(rule['health'] != 'unknown' for rule in rules()), 'rules')
            faults = [rule['name'] for rule in rules() if rule['health'] != 'ok']
            firing = [rule['name'] for rule in rules() if rule.get('state') == 'firing']
            check(rules() and not faults and not firing, f'faults {faults}, firing {firing}')
            print(f'    {ends:.0f} sessions ended, {4 * SESSIONS} records, {len(rules())} rules')
            agent.stop()


def main():
    with tempfile.TemporaryDirectory() as folder:
        sockflow = programs.Sockflow(sys.argv[1], folder)
        sockflow.skip_unless_it_captures()
        programs.run_cases(Metrics(sockflow, sys.argv[2]), sys.argv[3:], (Failure, OSError))


if __name__ == '__main__':
    main()
