# SPDX-License-Identifier: MIT
"""Names of pods from an API server that is well, away, slow, forgetful or out of its mind.

kubernetes_test.py SOCKFLOW [CASE...]
"""
import json
import pathlib
import re
import ssl
import sys
import time

import programs
from fake_kubernetes import NODE, FakeKubernetes, pod, status
from programs import check, free_udp_port, make_session, own_address

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'interop'))
import tls_certificates  # noqa: E402

SECONDS = 60
HERE, THERE = own_address(0), own_address(1)
NO_LOSS = re.compile('lost by reason: nothing')


class Kubernetes:
    def __init__(self, sockflow):
        self.sockflow = sockflow
        self.certificates = tls_certificates.Certificates(sockflow.folder)
        self._files = 0

    def server(self, **options):
        return FakeKubernetes(self.certificates.collector, **options)

    def file(self, text=''):
        self._files += 1
        path = self.sockflow.folder / f'file{self._files}'
        path.write_text(text)
        return path

    def watched(self, server, ready=r'kubernetes: \d+ pods known', **keys):
        return Watched(self, server.url, ready, keys)

    # --- all is well ---

    def case_names(self):
        with self.server() as server:
            server.put(pod('web', HERE), pod('db', THERE), pod('agent', '127.0.0.1', hostNetwork=True))
            with self.watched(server, labels=['app']) as agent:
                agent.wait_for_pods('web', 'db')
                # Addresses pass to other pods; those of the host are nobody's.
                server.delete(server.pods['uid-of-db'])
                server.put(pod('cache', THERE))
                agent.wait_for_pods('web', 'cache')
                check(agent.pods('127.0.0.1', '127.0.0.1') == ('', ''), 'a pod in the host network by address')
                check(NO_LOSS.search(agent.stop()), agent.log)
            check({token for _, _, token in server.requests} == {'right'}, 'not every request had the token')

    def case_chunks(self):
        with self.server() as server:
            server.page = 2
            server.put(*(pod(f'other{i}') for i in range(5)), pod('web', HERE))
            with self.watched(server, ready='kubernetes: 6 pods known') as agent:
                agent.wait_for_pods('web', '')
                check(len([q for _, q, _ in server.requests if 'continue' in q]) == 2, server.requests)

    def case_watch_goes_on_after_its_time(self):
        with self.server() as server, self.watched(server) as agent:
            check(server.wait_for(lambda: server.watches == 1), 'no watch')
            time.sleep(1.1)  # a watch that ends sooner is not asked for again at once
            server.end_watches()
            server.put(pod('web', HERE))
            agent.wait_for_pods('web', '')
            check(NO_LOSS.search(agent.stop()), agent.log)

    def case_kubelet(self):
        with self.server() as server:
            server.put(pod('web', HERE))
            with self.watched(server, source='kubelet') as agent:
                agent.wait_for_pods('web', '')
            check({path for path, _, _ in server.requests} == {'/pods'}, server.requests)

    # --- trouble ---

    def case_gone(self):
        for as_event in (False, True):
            with self.server() as server, self.watched(server) as agent:
                server.gone_as_event = as_event
                check(server.wait_for(lambda: server.watches == 1), 'no watch')
                server.forget()
                check(server.wait_for(lambda: server.watches == 0), 'the watch goes on')
                server.put(pod('web', HERE))
                agent.wait_for_pods('web', '')
                agent.wait_for('410')
                check(re.search(r'watch_restarts [1-9]', agent.stop()), agent.log)

    def case_token_rotates(self):
        with self.server() as server:
            server.put(pod('web', HERE))
            token = self.file('wrong\n')
            with self.watched(server, ready='HTTP 401: Unauthorized; the token in', token_file=token) as agent:
                token.write_text('right\n')
                agent.wait_for_pods('web', '')
                # Exchanged in the middle of a watch.
                token.write_text('next\n')
                server.tokens = {'next'}
                server.end_watches()
                server.put(pod('db', THERE))
                agent.wait_for_pods('web', 'db')

    def case_errors(self):
        answers = [lambda h: h.send(500, status(500, 'etcdserver: leader changed')),
                   lambda h: h.send(403, status(403, 'pods is forbidden')),
                   lambda h: h.send(200, b'<html>not the API</html>'),
                   lambda h: h.send(200, {'kind': 'Status', 'items': []}),
                   lambda h: h.cut()]
        for answer in answers:
            with self.server() as server:
                server.put(pod('web', HERE))
                server.script.append(answer)
                with self.watched(server, ready='kubernetes: pods are not up to date: .*') as agent:
                    print(f'    {agent.find("kubernetes: pods are not .*")[0]}')
                    agent.wait_for_pods('web', '')
                    check(re.search('api_errors 1', agent.stop()), agent.log)

    def case_watch_is_cut(self):
        def cut(handler):
            handler.begin()
            handler.chunk(b'{"type":"ADDED","object":{"metadata":{"na')
            handler.cut()

        with self.server() as server:
            server.script.extend([lambda h: server._list(h, {}), cut])
            with self.watched(server) as agent:
                server.put(pod('web', HERE))
                agent.wait_for_pods('web', '')
                check(re.search('watch_restarts 1', agent.stop()), agent.log)

    def case_nonsense(self):
        with self.server() as server, self.watched(server) as agent:
            check(server.wait_for(lambda: server.watches == 1), 'no watch')
            for line in (b'{"type":"ADDED"}\n', b'{"a": tru}\n', b'{"type":"MODIFIED","object":[]}\n',
                         b'{"x":"' + b'y' * (6 << 20) + b'"}\n', b'{"x":' + b'[' * 100000 + b']' * 100000 + b'}\n',
                         b'{"x":"\xff\xfe"}\n'):
                server.say(line)
            server.put(pod('web', HERE))
            agent.wait_for_pods('web', '')
            check(re.search('malformed_pods 6', agent.stop()), agent.log)

    def case_slow_drip(self):
        def drip(handler):
            body = json.dumps({'kind': 'PodList', 'metadata': {'resourceVersion': '1'},
                               'items': [pod('web', HERE)]}).encode()
            handler.begin(200, len(body))
            for i in range(0, len(body), 20):
                handler.wfile.write(body[i:i + 20])
                handler.wfile.flush()
                time.sleep(0.05)

        with self.server() as server:
            server.script.append(drip)
            with self.watched(server) as agent:
                agent.wait_for_pods('web', '')

    def case_hangs(self):
        with self.server() as server:
            server.script.extend([lambda h: time.sleep(30)] * 3)
            with self.watched(server, ready='capture tier') as agent:
                check(server.wait_for(lambda: server.requests), 'no request')
                check(agent.pods(HERE, THERE) == ('', ''), 'names from nowhere')
                agent.stop()  # in time, or it fails

    def case_away_then_there(self):
        probe = self.server()
        port, url = probe.port, probe.url
        probe.close()
        with Watched(self, url, 'kubernetes: pods are not up to date: .*', {}) as agent:
            check(agent.pods(HERE, THERE) == ('', ''), 'names from nowhere')
            with self.server(port=port) as server:
                server.put(pod('web', HERE))
                agent.wait_for_pods('web', '')

    def case_unknown_authority(self):
        with self.server() as server, \
                self.watched(server, ready='its certificate is not to be trusted: .*',
                             ca_file=self.certificates.stranger.certificate) as agent:
            print(f'    {agent.find("certificate is not .*")[0]}')
            check(not server.requests, 'the token went to a stranger')

    def case_authority_is_exchanged(self):
        ca = self.file(self.certificates.authority.certificate.read_text())
        with self.server() as server:
            server.put(pod('web', HERE))
            agent = self.watched(server, ca_file=ca)
            server.script.append(lambda h: h.cut())
        with agent:
            ca.write_text(self.certificates.stranger.certificate.read_text())
            with FakeKubernetes(self.certificates.unknown, port=server.port) as server:
                server.put(pod('web', HERE), pod('db', THERE))
                agent.wait_for_pods('web', 'db')

    def case_errors_of_configuration(self):
        for config, complaint in (
                ('kubernetes:\n  enabled: true\n', 'yaml:2: kubernetes.enabled: true, but this is no pod'),
                ('kubernetes:\n  api_server: http://a\n', 'yaml:2: kubernetes.api_server: .*https://')):
            with self.sockflow.agent('--collector', f'udp://127.0.0.1:{free_udp_port()}',
                                     config=config, ready=False) as agent:
                check(agent.join(10) == 2, agent.log)
                check(agent.find(complaint), agent.log)

    def case_many_pods(self):
        count, filler = 100_000, {'note': 'x' * 1500}
        with self.server() as server:
            for i in range(count):
                one = pod(f'p{i}', f'10.{i >> 16}.{i >> 8 & 255}.{i & 255}', annotations=filler)
                server.pods[str(i)] = one
            server.pods['last'] = pod('web', HERE)
            body = json.dumps({'kind': 'PodList', 'metadata': {'resourceVersion': str(server.version)},
                               'items': list(server.pods.values())[1:]}).encode()
            server.script.append(lambda h: h.send(200, body))
            with self.watched(server, ready='capture tier') as agent:
                before, begin = memory_of(agent), time.monotonic()
                agent.wait_for('kubernetes: 100000 pods known', 110)
                took = time.monotonic() - begin
                agent.wait_for_pods('web', '')
                print(f'    {count} pods, {len(body) >> 20} MiB of JSON: {took:.1f} s, '
                      f'{cpu_seconds_of(agent):.1f} CPU-seconds; '
                      f'resident {before >> 20} MiB before, {memory_of(agent) >> 20} MiB after, '
                      f'{memory_of(agent, "VmHWM") >> 20} MiB at most')
                check(memory_of(agent, 'VmHWM') - before < 400 << 20, 'more than 400 MiB')


def memory_of(program, key='VmRSS'):
    text = pathlib.Path(f'/proc/{program.process.pid}/status').read_text()
    return int(re.search(rf'{key}:\s+(\d+) kB', text)[1]) << 10


def cpu_seconds_of(program):
    fields = pathlib.Path(f'/proc/{program.process.pid}/stat').read_text().rsplit(') ', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


class Watched:
    """An agent that asks a server for pods, and a collector of its records."""

    def __init__(self, test, url, ready, keys):
        self._port, self._output = free_udp_port(), test.file()
        self._records, self._read = [], 0  # so many octets of the output
        keys = {'node_name': NODE, 'token_file': test.file('right\n'),
                'ca_file': test.certificates.authority.certificate, **keys}
        lines = ''.join(f'  {key}: {json.dumps(str(v) if isinstance(v, pathlib.Path) else v)}\n'
                        for key, v in keys.items())
        config = ('exporter:\n  interval_seconds: 0\n  pen: 32473\n'
                  f'collectors:\n  - url: udp://127.0.0.1:{self._port}\n    profile: full\n'
                  f'kubernetes:\n  enabled: true\n  api_server: {url}\n{lines}')
        self._collector = test.sockflow.collector(self._port, self._output)
        try:
            self._agent = test.sockflow.agent(config=config)
            self._agent.wait_for(ready)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if hasattr(self, '_agent'):
            self._agent.__exit__()
        self._collector.__exit__()

    def __getattr__(self, name):
        return getattr(self._agent, name)

    def all_records(self):
        with open(self._output, 'rb') as output:
            output.seek(self._read)
            octets = output.read()
        whole = octets[:octets.rfind(b'\n') + 1]
        self._read += len(whole)
        # Each is read once: there may be those of many others.
        self._records += [json.loads(line) for line in whole.splitlines()]
        return self._records

    def records(self, ports, count):
        """Those of a session, so many."""
        deadline = time.monotonic() + SECONDS
        while True:
            ours = [r for r in self.all_records()
                    if (r.get('sourceTransportPort'), r.get('destinationTransportPort')) == ports]
            if len(ours) == count:
                return ours
            check(time.monotonic() < deadline, f'{len(ours)} records, not {count}:\n{self.log}')
            time.sleep(0.01)

    def pods(self, source, destination):
        """The pods that a new session's records tell of: those at its source, and at its destination."""
        # Of this process, which is in no pod: each socket tells of the other end.
        return tuple(''.join(names) for names in self.pods_of(make_session(host=destination, source=source)))

    def pods_of(self, ports):
        """What the records of a session between two sockets of this host name at its source, and at its
        destination."""
        ours = self.records(ports, 4)
        return ({r.get('sourcePodName', '') for r in ours}, {r.get('destinationPodName', '') for r in ours})

    def wait_for_pods(self, *names):
        deadline = time.monotonic() + SECONDS
        while (pods := self.pods(HERE, THERE)) != names:
            check(time.monotonic() < deadline, f'{pods}, not {names}:\n{self.log}')
            time.sleep(0.05)


if __name__ == '__main__':
    programs.run_capturing_cases(Kubernetes, (programs.Failure, ssl.SSLError))
